"""Export motion as BVH (Biovision Hierarchy), one file per person: the rest skeleton and joint angles per frame.

Y up, centimetres, degrees. Euler angles in the order Z, X, Y of each joint's own axes; only the root has position channels, the
pelvis' position. The rest pose is a T-pose that faces +z.

All files of a take have one time line, as those of several actors from one capture: frame k is k / fps s after its first frame.
Before a person came and after they left, their first and last pose are held, and noted. Held frames take space, so in a long take
the file of a person who is seen briefly is only of their own time, `start_s` after the take's first frame.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from remi_stream.atomic_files import atomic_file
from remi_stream.export.motion import SNAP_SHARE, PersonMotion, person_motion, resample, sample_times, to_y_up, unknown_runs
from remi_stream.recordings.take import Take, retarget_to_available_body, smpl_tracks
from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

log = logging.getLogger("remi_stream")

CM_PER_M = 100.0
SMPL_JOINT_NAMES = JOINT_NAMES["smpl24"]
# this order of channels means R = Rz Rx Ry, as `euler_zxy_degrees` computes it
ROTATION_CHANNELS = "Zrotation Xrotation Yrotation"
POSITION_CHANNELS = "Xposition Yposition Zposition"
GIMBAL_LOCK_SINE = 1 - 1e-12
"""Sine of the X angle above which Z and Y turn about one axis (gimbal lock)."""
LONG_TAKE_S, BRIEF_SHARE = 600.0, 0.1
"""In a take that is longer, a track that spans less than this share of it is written without the time before and after it."""
MAX_FILE_BYTES, FRAME_BYTES = 200e6, 700
"""So is a track whose file would be larger otherwise, at this size of a frame."""
CHUNK_FRAMES = 4096
"""Frames that are computed at a time."""
END_SITE_SHARE = 0.5
"""Length of a chain's end site, as a share of the bone before it: SMPL has no joint there, and BVH needs one."""


def write_bvh(take: Take, folder: Path) -> list[Path]:
    """Write `track-000001.bvh` and, where a pose was held, `track-000001.bvh.json`. Raises OSError or RemiError."""
    tracks, paths, trimmed = smpl_tracks(take, "bvh"), list[Path](), list[str]()
    samples = sample_times(0.0, take.frames[-1].captured_at - take.frames[0].captured_at, take.fps) if tracks else np.zeros(0)
    for track in tracks:
        first, end = _known_span(track.times_s, samples, take.fps)
        if is_trimmed := _must_be_trimmed(end - first, len(samples), take.fps):
            trimmed.append(track.name)
        own_samples = samples[first:end] if is_trimmed else samples
        path = folder / f"{track.name}.bvh"
        with atomic_file(path) as file:
            motion = to_y_up(person_motion(track, retarget_to_available_body(track.body)))
            held = unknown_runs(_write_motion(file, motion, own_samples, take.fps))
        paths.append(path)
        if held or is_trimmed:
            paths.append(_write_held_frames(path, float(own_samples[0]), held, take.fps))
    if trimmed:
        names = f"{trimmed[0]}{f' and {len(trimmed) - 1} more' if trimmed[1:] else ''}"
        log.warning(
            "bvh: %s: only the person's own time is written, as the take is long; `start_s` in NAME.bvh.json is when it begins",
            names,
        )
    return paths


def _known_span(times_s: np.ndarray, samples: np.ndarray, fps: float) -> tuple[int, int]:
    """Return the first sample from a track's first pose on, and the one after the last up to its last pose; at least one."""
    slack = SNAP_SHARE / fps
    first, end = np.searchsorted(samples, times_s[0] - slack), np.searchsorted(samples, times_s[-1] + slack, "right")
    first = min(int(first), len(samples) - 1)
    return first, max(int(end), first + 1)


def _must_be_trimmed(own: int, frames: int, fps: float) -> bool:
    """Whether a track of `own` frames is written without the rest of the take's frames."""
    is_brief = frames > LONG_TAKE_S * fps and own < BRIEF_SHARE * frames
    return own < frames and (is_brief or frames * FRAME_BYTES > MAX_FILE_BYTES)


def _write_motion(file: BinaryIO, motion: PersonMotion, samples: np.ndarray, fps: float) -> np.ndarray:
    """Write a file, its frames at these times (m,), evenly spaced, s; return where the motion is known, (m,) bool."""
    rest = motion.body.rest_joints(motion.betas) * CM_PER_M
    head = ["HIERARCHY", *_joint(rest, 0, ""), "MOTION", f"Frames: {len(samples)}", f"Frame Time: {1 / fps:.8f}", ""]
    file.write("\n".join(head).encode())
    # one more sample on each side, for the pose that is held there
    first, end = _known_span(motion.times_s, samples, fps)
    first, end = max(0, first - 1), min(len(samples), end + 1)
    known, line = np.zeros(len(samples), bool), b""
    for start, chunk, is_known in _resampled_chunks(motion, samples[first:end]):
        known[first + start : first + start + len(is_known)] = is_known
        # a held pose is computed once
        is_new = np.append(True, (np.diff(chunk, axis=0) != 0).any(1))
        counts = np.diff(np.append(np.flatnonzero(is_new), len(chunk)))
        for number, (row, count) in enumerate(zip(chunk[is_new].tolist(), counts.tolist())):
            line = (" ".join(["%.5f"] * len(row)) % tuple(row) + "\n").encode()
            _write_repeated(file, line, count + (first if number == start == 0 else 0))
    _write_repeated(file, line, len(samples) - end)
    return known


def _resampled_chunks(motion: PersonMotion, samples: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield, some samples at a time, the first's index, the channels (n, 75), cm and degrees, and where they are known (n,)."""
    # of about one length: a chunk of one sample would have no interval
    start, last = 0, None
    for times in np.array_split(samples, max(1, round(len(samples) / CHUNK_FRAMES))):
        part, known = resample(motion, times)
        angles = unwrap_euler_degrees(euler_zxy_degrees(part.rotations[:, _order(0)]), last)
        yield start, np.concatenate([part.pelvis_m * CM_PER_M, angles.reshape(len(angles), -1)], 1), known
        start, last = start + len(times), angles[-1]


def _write_repeated(file: BinaryIO, line: bytes, count: int) -> None:
    block = line * min(count, CHUNK_FRAMES)
    for _ in range(count // CHUNK_FRAMES):
        file.write(block)
    file.write(line * (count % CHUNK_FRAMES))


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


def unwrap_euler_degrees(angles: np.ndarray, previous: np.ndarray | None = None) -> np.ndarray:
    """Unwrap Euler angles (n, J, 3) so that they change little from frame to frame, also where x passes 90 degrees.

    previous: the unwrapped angles (J, 3) of the frame before.
    """
    result = angles.copy()
    is_held = np.append(False, (angles[1:] == angles[:-1]).all((1, 2)))
    for frame in range(1 if previous is None else 0, len(result)):
        last = previous if previous is not None and frame == 0 else result[frame - 1]
        if is_held[frame]:
            result[frame] = last
            continue
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


def _write_held_frames(path: Path, start_s: float, held: list[tuple[int, int]], fps: float) -> Path:
    """Write the time of the first frame, and the runs of frames, from 0, in which a pose is held: the person was not detected."""
    note = path.with_name(f"{path.name}.json")
    with atomic_file(note) as file:
        file.write(msgspec.json.encode({"start_s": start_s, "fps": fps, "held_frames": held}) + b"\n")
    return note
