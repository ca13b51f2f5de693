"""One performance: a body that moves in the world, recorded or procedural, full of life or at a desk."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from train_lifter.planting import clearances, contacts, plant
from train_lifter.procedural import procedural_motion
from train_lifter.recorded import RECORDED_FPS, RecordedMotion
from train_lifter.rotations import J, about, mirror_pose, pose_sequence, smoothstep

Array = NDArray[Any]

RECORDED_SHARE = 0.35
"""Share of sequences with recorded motion."""
OTHER_ARMS_SHARE = 0.3
"""Share of the recorded sequences whose arms and head are procedural."""
UPPER_JOINTS = [J[name] for name in ("neck", "head")] + [
    J[f"{side}_{part}"] for part in ("collar", "shoulder", "elbow", "wrist") for side in ("left", "right")
]
MAX_COLLAR_DEGREES = 28
"""Largest part of an arm's raise that the collar takes."""


class Performance(NamedTuple):
    """A moving body; N frames, world axes with y up and the floor at y = 0."""

    rotations: Array
    """(N, 24, 3, 3), each relative to its parent."""
    world_rotations: Array
    """(N, 24, 3, 3)."""
    joints: Array
    """(N, 24, 3), m."""
    contact: Array
    """(N, 4) bool, see `planting.FEET`."""
    name: str
    """The recording, "procedural" or "desk"."""


def perform(
    rng: np.random.Generator, recorded: RecordedMotion, rest_joints: Array, sole_m: float, frames: int, fps: float, is_desk: bool
) -> Performance:
    """Make a performance of the body with rest_joints (24, 3), m, whose soles are at y = sole_m in the rest pose."""
    track: Array | None = None
    if not is_desk and rng.random() < RECORDED_SHARE:
        segment = recorded.segment(rng, frames, RECORDED_FPS / fps * rng.uniform(0.8, 1.25))
        rotations, hop, name = segment.rotations, np.zeros(frames), segment.name
        track = segment.root * (rest_joints[0, 1] - rest_joints[J["left_ankle"], 1])
        if rng.random() < OTHER_ARMS_SHARE:
            rotations[:, UPPER_JOINTS] = procedural_motion(rng, recorded, frames, fps).rotations[:, UPPER_JOINTS]
    else:
        motion = procedural_motion(rng, recorded, frames, fps, is_desk)
        rotations, hop, name = motion.rotations, motion.hop_m, "desk" if is_desk else "procedural"
    if rng.random() < 0.5:
        rotations = mirror_pose(rotations)
        track = None if track is None else track * [-1, 1, 1]
    raise_collars(rotations, rng.uniform(0, MAX_COLLAR_DEGREES))
    world, joints = pose_sequence(rotations, rest_joints)
    clearance = clearances(rest_joints, sole_m)
    joints = joints + plant(joints, clearance, hop, track)[:, None]
    return Performance(rotations, world, joints, contacts(joints, clearance, fps), name)


def raise_collars(rotations: Array, degrees: float) -> None:
    """Give the collars, which recordings do not move, a part of the arms' raise, in place: at most degrees."""
    for collar, shoulder, sign in (("left_collar", "left_shoulder", 1.0), ("right_collar", "right_shoulder", -1.0)):
        c, s = J[collar], J[shoulder]
        whole = rotations[:, c] @ rotations[:, s]
        raised = about("z", sign * degrees * smoothstep(sign * whole[:, 1, 0], -0.3, 1.0))
        rotations[:, c] = raised @ rotations[:, c]
        rotations[:, s] = rotations[:, c].swapaxes(1, 2) @ whole
