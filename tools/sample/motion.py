"""SMPL motion of one body, and its rigid transformation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import rotate_body

Array = NDArray[Any]


@dataclass(frozen=True)
class Motion:
    """SMPL parameters of every frame, in world axes."""

    poses: Array
    """(N, 72) axis-angle, rad."""
    betas: Array
    """(10,)."""
    transl: Array
    """(N, 3) m."""


def place_motion(motion: Motion, root_joint: Array, yaw: float, x: float, z: float) -> Motion:
    """Rotate a motion by yaw degrees about the room's centre, then translate it by x, z m."""
    rotation = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    return transform_motion(motion, root_joint, rotation, np.array([x, 0.0, z]))


def transform_motion(motion: Motion, root_joint: Array, rotation: Array, translation: Array) -> Motion:
    """Transform a motion rigidly: points p become rotation (3, 3) p + translation (3,)."""
    moved = [
        rotate_body(rotation, root_joint, pose[:3], transl) for pose, transl in zip(motion.poses, motion.transl, strict=True)
    ]
    poses = np.c_[np.array([orient for orient, _ in moved]), motion.poses[:, 3:]]
    return Motion(poses, motion.betas, np.array([transl for _, transl in moved]) + translation)
