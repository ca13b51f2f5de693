"""The quantities of a person that filters smooth: rotations as quaternions, positions, betas."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.messages import Person

NOTHING = np.empty((0, 4)), np.empty((0, 10))
"""Rotations and betas of a person without SMPL."""
FARTHEST_M = 1e6
"""Smoothed positions beyond this norm are rejected as diverged."""


class Motion(NamedTuple):
    """One person's pose, positions and shape, float64. Without SMPL: no rotations, no betas, and no transl in the positions."""

    turns: np.ndarray
    """(24, 4) quaternions x y z w, each joint's in its parent."""
    places: np.ndarray
    """(J + 1, 3) m, camera frame: joints_m, then transl."""
    shape: np.ndarray
    """(1, 10) betas."""

    def alike(self, other: Motion) -> bool:
        """Whether both have the same numbers of rotations and positions."""
        return len(self.turns) == len(other.turns) and self.places.shape == other.places.shape

    def finite(self) -> bool:
        """Whether all values are finite."""
        return math.isfinite(sum(np.vdot(part, part) for part in self))

    def believable(self) -> bool:
        """Whether all values are finite and the positions within FARTHEST_M."""
        return self.finite() and bool(np.vdot(self.places, self.places) < FARTHEST_M**2)


def motion_of(person: Person) -> Motion:
    """Convert a person to the quantities that filters smooth."""
    joints, smpl = person.joints_m, person.smpl
    if smpl is None:
        return Motion(NOTHING[0], joints.astype(np.float64), NOTHING[1])
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3).astype(np.float64)
    places = np.concatenate([joints, smpl.transl[None]]).astype(np.float64)
    return Motion(quaternion.from_vectors(vectors), places, smpl.betas[None].astype(np.float64))


def moved(person: Person, motion: Motion) -> Person:
    """Replace a person's joints and SMPL parameters; box, key points, scores and `native` stay."""
    places = motion.places.astype(np.float32)
    if person.smpl is None:
        return msgspec.structs.replace(person, joints_m=places)
    vectors = quaternion.to_vectors(motion.turns).astype(np.float32).reshape(-1)
    smpl = msgspec.structs.replace(
        person.smpl, global_orient=vectors[:3], body_pose=vectors[3:], betas=motion.shape[0].astype(np.float32), transl=places[-1]
    )
    return msgspec.structs.replace(person, joints_m=places[:-1], smpl=smpl)
