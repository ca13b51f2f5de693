"""What of a person moves: rotations as quaternions, places and the shape as vectors."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.messages import Person

NOTHING = np.empty((0, 4)), np.empty((0, 10))
FARTHEST_M = 1e6


class Motion(NamedTuple):
    """All float64; without SMPL there are no turns, no shape, and one place less.

    turns: (24, 4) quaternions x y z w, each joint's in its parent. places: (J + 1, 3) m, camera frame: joints_m, then transl.
    shape: (1, 10) betas.
    """

    turns: np.ndarray
    places: np.ndarray
    shape: np.ndarray

    def alike(self, other: Motion) -> bool:
        """Whether the other one has as many of everything."""
        return len(self.turns) == len(other.turns) and self.places.shape == other.places.shape

    def finite(self) -> bool:
        """Whether every number is one."""
        return math.isfinite(sum(np.vdot(part, part) for part in self))

    def believable(self) -> bool:
        """Whether every number is one, and every place is near enough to be a place."""
        return self.finite() and bool(np.vdot(self.places, self.places) < FARTHEST_M**2)


def motion_of(person: Person) -> Motion:
    """The motion of a person in a frame."""
    joints, smpl = person.joints_m, person.smpl
    if smpl is None:
        return Motion(NOTHING[0], joints.astype(np.float64), NOTHING[1])
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3).astype(np.float64)
    places = np.concatenate([joints, smpl.transl[None]]).astype(np.float64)
    return Motion(quaternion.from_vectors(vectors), places, smpl.betas[None].astype(np.float64))


def moved(person: Person, motion: Motion) -> Person:
    """The person with this motion; what was seen in the picture (box, key points, scores) and `native` stay."""
    places = motion.places.astype(np.float32)
    if person.smpl is None:
        return msgspec.structs.replace(person, joints_m=places)
    vectors = quaternion.to_vectors(motion.turns).astype(np.float32).reshape(-1)
    smpl = msgspec.structs.replace(
        person.smpl, global_orient=vectors[:3], body_pose=vectors[3:], betas=motion.shape[0].astype(np.float32), transl=places[-1]
    )
    return msgspec.structs.replace(person, joints_m=places[:-1], smpl=smpl)
