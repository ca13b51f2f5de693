"""A motion of one body, and its change into other axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import change_axes

Array = NDArray[Any]


@dataclass(frozen=True)
class Motion:
    """What SMPL needs for every frame, in world axes: poses (N, 72) axis-angle rad, betas (10,), transl (N, 3) m."""

    poses: Array
    betas: Array
    transl: Array


def placed(motion: Motion, root_joint: Array, yaw: float, x: float, z: float) -> Motion:
    """The same motion somewhere else in the room: turned by yaw degrees about the room's middle, then moved by x, z m."""
    turn = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    return seen_from(motion, root_joint, turn, np.array([x, 0.0, z]))


def seen_from(motion: Motion, root_joint: Array, rotation: Array, translation: Array) -> Motion:
    """The motion in other axes: points p become rotation (3, 3) p + translation (3,)."""
    moved = [
        change_axes(rotation, root_joint, pose[:3], transl) for pose, transl in zip(motion.poses, motion.transl, strict=True)
    ]
    poses = np.c_[np.array([orient for orient, _ in moved]), motion.poses[:, 3:]]
    return Motion(poses, motion.betas, np.array([transl for _, transl in moved]) + translation)
