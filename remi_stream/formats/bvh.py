"""BVH, a file for each person: the body's skeleton at rest, and angles for every frame.

Y up, centimetres, degrees. Every joint turns by Z, then X, then Y of its own axes; only the root moves, and its channels are
where the pelvis is. At rest the body is a T-pose that faces +z.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from remi_stream.formats.motion import Motion, evenly, gaps, motion_of, y_up
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import drawing, tracks
from remi_stream.sinks.recording.files import written_whole
from remi_stream.skeletons import JOINTS, SMPL_PARENTS

CM = 100.0
NAMES = JOINTS["smpl24"]
TURNS = "Zrotation Xrotation Yrotation"
PLACES = "Xposition Yposition Zposition"
LOCKED = 1 - 1e-12
END_SHARE = 0.5
"""How long the last bone of a chain is drawn, in lengths of the one before it."""


def write(take: Take, folder: Path) -> list[Path]:
    """Write `track-000001.bvh` and, where a pose was held, `track-000001.bvh.json`. Raises OSError or RemiError."""
    written = []
    for track in tracks(take, "bvh"):
        motion, known = evenly(y_up(motion_of(track, drawing(track.body))), take.fps)
        path = folder / f"{track.name}.bvh"
        with written_whole(path) as file:
            file.write(text(motion, take.fps).encode())
        written.append(path)
        if held := gaps(known):
            written.append(_note(path, held, float(motion.times_s[0]), take.fps))
    return written


def text(motion: Motion, fps: float) -> str:
    """The file of a motion whose frames are evenly spaced."""
    rest = motion.body.rest_joints(motion.betas) * CM
    head = ["HIERARCHY", *_joint(rest, 0, ""), "MOTION", f"Frames: {len(motion.times_s)}", f"Frame Time: {1 / fps:.8f}"]
    angles = without_jumps(zxy_degrees(motion.rotations[:, _order(0)]))
    rows = np.concatenate([motion.pelvis_m * CM, angles.reshape(len(angles), -1)], 1)
    line = " ".join(["%.5f"] * rows.shape[1])
    return "\n".join([*head, *(line % tuple(row) for row in rows.tolist())]) + "\n"


def zxy_degrees(rotations: np.ndarray) -> np.ndarray:
    """Angles (..., 3) about z, x and y of quaternions (..., 4): R = Rz Rx Ry, x within 90 degrees.

    At 90 degrees z and y turn about one axis; y is 0 there.
    """
    x, y, z, w = np.moveaxis(rotations, -1, 0)
    sine = np.clip(2 * (y * z + w * x), -1, 1)
    locked = np.abs(sine) > LOCKED
    about_z = np.arctan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
    about_z = np.where(locked, np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z)), about_z)
    about_y = np.where(locked, 0, np.arctan2(2 * (w * y - x * z), 1 - 2 * (x * x + y * y)))
    return np.degrees(np.stack([about_z, np.arcsin(sine), about_y], -1))


def without_jumps(angles: np.ndarray) -> np.ndarray:
    """The same rotations with angles (n, J, 3) that change little from frame to frame, also where x goes beyond 90 degrees."""
    found = angles.copy()
    for frame in range(1, len(found)):
        other = found[frame] * (1, -1, 1) + 180
        one, other = (near(choice, found[frame - 1]) for choice in (found[frame], other))
        nearer = np.abs(one - found[frame - 1]).sum(-1, keepdims=True) <= np.abs(other - found[frame - 1]).sum(-1, keepdims=True)
        found[frame] = np.where(nearer, one, other)
    return found


def near(angles: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The same angles, whole turns added so that they are near the last ones."""
    return angles - 360 * np.round((angles - last) / 360)


def _order(joint: int) -> list[int]:
    """The joints in the order of the file: each before all that hangs on it."""
    return [joint, *(below for child in _children(joint) for below in _order(child))]


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(SMPL_PARENTS) if parent == joint]


def _joint(rest: np.ndarray, joint: int, indent: str) -> list[str]:
    """The lines of a joint and of all that hangs on it; rest: (24, 3) cm."""
    offset = rest[joint] - rest[SMPL_PARENTS[joint]] if joint else np.zeros(3)
    inside = f"{indent}\t"
    below = [line for child in _children(joint) for line in _joint(rest, child, inside)]
    end = [f"{inside}End Site", f"{inside}{{", f"{inside}\t{_offset(offset * END_SHARE)}", f"{inside}}}"]
    return [
        f"{indent}{'JOINT' if joint else 'ROOT'} {NAMES[joint]}",
        f"{indent}{{",
        f"{inside}{_offset(offset)}",
        f"{inside}CHANNELS {f'3 {TURNS}' if joint else f'6 {PLACES} {TURNS}'}",
        *(below or end),
        f"{indent}}}",
    ]


def _offset(offset: np.ndarray) -> str:
    return "OFFSET {:.5f} {:.5f} {:.5f}".format(*offset.tolist())


def _note(path: Path, held: list[tuple[int, int]], start_s: float, fps: float) -> Path:
    """Say in which frames, from 0, the last pose is held because nobody was seen."""
    note = path.with_name(f"{path.name}.json")
    with written_whole(note) as file:
        file.write(msgspec.json.encode({"start_s": start_s, "fps": fps, "held_frames": held}) + b"\n")
    return note
