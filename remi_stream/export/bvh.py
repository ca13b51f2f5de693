"""Export motion as BVH (Biovision Hierarchy), one file per person: the rest skeleton and joint angles per frame.

Y up, centimetres, degrees. Euler angles in the order Z, X, Y of each joint's own axes; only the root has position channels, the
pelvis' position. The rest pose is a T-pose that faces +z.

All files of a take have one time line, as those of several actors from one capture: frame k is k / fps s after its first frame.
Before a person came and after they left, their first and last pose are held, and noted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from remi_stream.atomic_files import atomic_file
from remi_stream.export.motion import PersonMotion, person_motion, resample, sample_times, to_y_up, unknown_runs
from remi_stream.recordings.take import Take, retarget_to_available_body, smpl_tracks
from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

CM_PER_M = 100.0
SMPL_JOINT_NAMES = JOINT_NAMES["smpl24"]
# this order of channels means R = Rz Rx Ry, as `euler_zxy_degrees` computes it
ROTATION_CHANNELS = "Zrotation Xrotation Yrotation"
POSITION_CHANNELS = "Xposition Yposition Zposition"
GIMBAL_LOCK_SINE = 1 - 1e-12
"""Sine of the X angle above which Z and Y turn about one axis (gimbal lock)."""
END_SITE_SHARE = 0.5
"""Length of a chain's end site, as a share of the bone before it: SMPL has no joint there, and BVH needs one."""


def write_bvh(take: Take, folder: Path) -> list[Path]:
    """Write `track-000001.bvh` and, where a pose was held, `track-000001.bvh.json`. Raises OSError or RemiError."""
    tracks, paths = smpl_tracks(take, "bvh"), []
    samples = sample_times(0.0, take.frames[-1].captured_at - take.frames[0].captured_at, take.fps) if tracks else np.zeros(0)
    for track in tracks:
        motion, known = resample(to_y_up(person_motion(track, retarget_to_available_body(track.body))), samples)
        path = folder / f"{track.name}.bvh"
        with atomic_file(path) as file:
            file.write(bvh_text(motion, take.fps).encode())
        paths.append(path)
        if held := unknown_runs(known):
            paths.append(_write_held_frames(path, held, take.fps))
    return paths


def bvh_text(motion: PersonMotion, fps: float) -> str:
    """Return the BVH text of a motion whose frames are evenly spaced."""
    rest = motion.body.rest_joints(motion.betas) * CM_PER_M
    head = ["HIERARCHY", *_joint(rest, 0, ""), "MOTION", f"Frames: {len(motion.times_s)}", f"Frame Time: {1 / fps:.8f}"]
    angles = unwrap_euler_degrees(euler_zxy_degrees(motion.rotations[:, _order(0)]))
    rows = np.concatenate([motion.pelvis_m * CM_PER_M, angles.reshape(len(angles), -1)], 1)
    line = " ".join(["%.5f"] * rows.shape[1])
    return "\n".join([*head, *(line % tuple(row) for row in rows.tolist())]) + "\n"


def euler_zxy_degrees(rotations: np.ndarray) -> np.ndarray:
    """Convert quaternions (..., 4) x y z w to Euler angles (..., 3) about z, x, y, degrees: R = Rz Rx Ry, x in [-90, 90].

    At 90 degrees (gimbal lock) z and y turn about one axis; y is set to 0 there.
    """
    x, y, z, w = np.moveaxis(rotations, -1, 0)
    # rounding may exceed 1, where arcsin is NaN
    sine = np.clip(2 * (y * z + w * x), -1, 1)
    locked = np.abs(sine) > GIMBAL_LOCK_SINE
    about_z = np.arctan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
    about_z = np.where(locked, np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z)), about_z)
    about_y = np.where(locked, 0, np.arctan2(2 * (w * y - x * z), 1 - 2 * (x * x + y * y)))
    return np.degrees(np.stack([about_z, np.arcsin(sine), about_y], -1))


def unwrap_euler_degrees(angles: np.ndarray) -> np.ndarray:
    """Unwrap Euler angles (n, J, 3) so that they change little from frame to frame, also where x passes 90 degrees."""
    result = angles.copy()
    for frame in range(1, len(result)):
        last = result[frame - 1]
        # (z, x, y) and (z + 180, 180 - x, y + 180) are the same rotation.
        one, other = (unwrap_degrees(choice, last) for choice in (result[frame], result[frame] * (1, -1, 1) + 180))
        is_nearer = np.abs(one - last).sum(-1, keepdims=True) <= np.abs(other - last).sum(-1, keepdims=True)
        result[frame] = np.where(is_nearer, one, other)
    return result


def unwrap_degrees(angles: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """Add whole turns to angles (degrees) so that they are nearest to the last ones."""
    return angles - 360 * np.round((angles - previous) / 360)


def _order(joint: int) -> list[int]:
    """Return a joint and its descendants in depth-first order, the order of the file."""
    return [joint, *(below for child in _children(joint) for below in _order(child))]


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(SMPL_PARENTS) if parent == joint]


def _joint(rest: np.ndarray, joint: int, indent: str) -> list[str]:
    """Return the hierarchy's lines of a joint and its descendants; rest: (24, 3) cm."""
    offset = rest[joint] - rest[SMPL_PARENTS[joint]] if joint else np.zeros(3)
    inside = f"{indent}\t"
    below = [line for child in _children(joint) for line in _joint(rest, child, inside)]
    end = [f"{inside}End Site", f"{inside}{{", f"{inside}\t{_offset(offset * END_SITE_SHARE)}", f"{inside}}}"]
    return [
        f"{indent}{'JOINT' if joint else 'ROOT'} {SMPL_JOINT_NAMES[joint]}",
        f"{indent}{{",
        f"{inside}{_offset(offset)}",
        f"{inside}CHANNELS {f'3 {ROTATION_CHANNELS}' if joint else f'6 {POSITION_CHANNELS} {ROTATION_CHANNELS}'}",
        *(below or end),
        f"{indent}}}",
    ]


def _offset(offset: np.ndarray) -> str:
    return "OFFSET {:.5f} {:.5f} {:.5f}".format(*offset.tolist())


def _write_held_frames(path: Path, held: list[tuple[int, int]], fps: float) -> Path:
    """Write the runs of frames, from 0, in which a pose is held because the person was not detected."""
    note = path.with_name(f"{path.name}.json")
    with atomic_file(note) as file:
        file.write(msgspec.json.encode({"start_s": 0.0, "fps": fps, "held_frames": held}) + b"\n")
    return note
