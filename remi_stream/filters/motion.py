"""The quantities of a person that filters smooth: rotations as quaternions, positions, betas."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.messages import Person

NO_SMPL = np.empty((0, 4)), np.empty((0, 10))
"""Rotations and betas of a person without SMPL."""
MAX_POSITION_M = 1e6
"""Smoothed positions beyond this norm are rejected as diverged."""


class BodyMotion(NamedTuple):
    """One person's pose, positions and shape, float64. Without SMPL: no rotations, no betas, and no transl in the positions."""

    rotations: np.ndarray
    """(24, 4) quaternions x y z w, each joint's in its parent."""
    positions: np.ndarray
    """(J + 1, 3) m, camera frame: joints_m, then transl."""
    betas: np.ndarray
    """(1, 10) betas."""

    def has_same_shape(self, other: BodyMotion) -> bool:
        """Whether both have the same numbers of rotations and positions."""
        return len(self.rotations) == len(other.rotations) and self.positions.shape == other.positions.shape

    def is_finite(self) -> bool:
        """Whether all values are finite."""
        return math.isfinite(sum(np.vdot(part, part) for part in self))

    def is_plausible(self) -> bool:
        """Whether all values are finite and the positions within MAX_POSITION_M."""
        return self.is_finite() and bool(np.vdot(self.positions, self.positions) < MAX_POSITION_M**2)


def motion_from_person(person: Person) -> BodyMotion:
    """Convert a person to the quantities that filters smooth."""
    joints, smpl = person.joints_m, person.smpl
    if smpl is None:
        return BodyMotion(NO_SMPL[0], joints.astype(np.float64), NO_SMPL[1])
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3).astype(np.float64)
    places = np.concatenate([joints, smpl.transl[None]]).astype(np.float64)
    return BodyMotion(quaternion.quaternions_from_rotation_vectors(vectors), places, smpl.betas[None].astype(np.float64))


def person_with_motion(person: Person, motion: BodyMotion) -> Person:
    """Replace a person's joints and SMPL parameters; box, key points, scores and `native` stay."""
    places = motion.positions.astype(np.float32)
    if person.smpl is None:
        return msgspec.structs.replace(person, joints_m=places)
    vectors = quaternion.rotation_vectors_from_quaternions(motion.rotations).astype(np.float32).reshape(-1)
    smpl = msgspec.structs.replace(
        person.smpl, global_orient=vectors[:3], body_pose=vectors[3:], betas=motion.betas[0].astype(np.float32), transl=places[-1]
    )
    return msgspec.structs.replace(person, joints_m=places[:-1], smpl=smpl)
