"""Rotations of poses: about one axis in degrees, mirrored poses, slerp of whole poses, forward kinematics of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

Array = NDArray[Any]

JOINTS = len(SMPL_PARENTS)
J = {name: index for index, name in enumerate(JOINT_NAMES["smpl24"])}
MIRRORED_JOINTS = np.array(
    [J[name.replace("left", "#").replace("right", "left").replace("#", "right")] for name in JOINT_NAMES["smpl24"]]
)
"""(24,) int: the joint of the other side."""
MIRROR = np.diag([-1.0, 1.0, 1.0])
"""Reflection at the plane between left and right."""


def about(axis: str, degrees: float | Array) -> Array:
    """Return rotation matrices (..., 3, 3) about x, y or z."""
    angles = np.radians(np.asarray(degrees, float))
    matrices = np.zeros((*angles.shape, 3, 3)) + np.eye(3)
    number = "xyz".index(axis)
    second, third = (number + 1) % 3, (number + 2) % 3
    matrices[..., second, second] = matrices[..., third, third] = np.cos(angles)
    matrices[..., third, second] = np.sin(angles)
    matrices[..., second, third] = -np.sin(angles)
    return matrices


def mirror_pose(rotations: Array) -> Array:
    """Mirror local rotations (..., 24, 3, 3): left becomes right."""
    return MIRROR @ rotations[..., MIRRORED_JOINTS, :, :] @ MIRROR


def blend_poses(start: Array, end: Array, share: Array) -> Array:
    """Slerp between local rotations start and end (N, 24, 3, 3); share (N,) in [0, 1]."""
    first, last = Rotation.from_matrix(start.reshape(-1, 3, 3)), Rotation.from_matrix(end.reshape(-1, 3, 3))
    turn = (first.inv() * last).as_rotvec() * np.repeat(share, JOINTS)[:, None]
    blended: Array = (first * Rotation.from_rotvec(turn)).as_matrix()
    return blended.reshape(start.shape)


def pose_sequence(rotations: Array, rest_joints: Array) -> tuple[Array, Array]:
    """Return world rotations (N, 24, 3, 3) and joints from the pelvis (N, 24, 3), m, of local rotations (N, 24, 3, 3)."""
    world, joints = np.empty_like(rotations), np.zeros((len(rotations), JOINTS, 3))
    world[:, 0] = rotations[:, 0]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        world[:, joint] = world[:, parent] @ rotations[:, joint]
        joints[:, joint] = joints[:, parent] + world[:, parent] @ (rest_joints[joint] - rest_joints[parent])
    return world, joints


def smoothstep(values: Array | float, start: float, end: float) -> Array:
    """Cubic step from 0 at start to 1 at end."""
    share = np.clip((np.asarray(values, float) - start) / (end - start), 0, 1)
    return share * share * (3 - 2 * share)
