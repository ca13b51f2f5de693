"""Bone transforms of a published SMPL pose for the skinned mesh, by forward kinematics."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from remi_stream.body.retarget import known_body, retargeter_to_known_body
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.geometry import quaternions_from_matrices
from remi_stream.messages import Smpl

SAMPLE_EVERY = 40
"""Every so many vertices of the skin are sampled."""
SOLE_SAMPLE_EVERY = 8
"""The same on the soles, which decide where the floor is."""
FOOT_JOINTS = (7, 8, 10, 11)
"""SMPL's ankles and feet."""
SOLE_HEIGHT_M = 0.03
"""Height of the soles' vertices in the rest pose, m."""

MEAN_SHAPE = np.zeros(10)
"""Betas of the drawn body: viser's skinned mesh cannot change its shape."""


class BonePose(NamedTuple):
    """Bone transforms in the camera's frame."""

    wxyz: np.ndarray
    """(24, 4) quaternions, w first, as viser wants them."""
    positions: np.ndarray
    """(24, 3), m."""
    lowest: np.ndarray
    """(3,), m: the skin's lowest point."""


class SkinSamples(NamedTuple):
    """Sampled skin vertices, each rigidly attached to its dominant joint: cheaper than skinning all vertices."""

    joint: np.ndarray
    """(N,) indices."""
    offset: np.ndarray
    """(N, 3), m, from the joint in the rest pose."""


def bone_pose(smpl: Smpl, up: np.ndarray) -> BonePose:
    """Pose the drawn body, at mean shape, with the published position of the pelvis. up: (3,), camera frame."""
    smpl = retargeter_to_known_body(smpl.body).retarget(smpl)
    local = joint_rotations(smpl.global_orient, smpl.body_pose)
    pelvis = known_body().rest_joints(smpl.betas)[0] + smpl.transl
    rotations, positions = forward_kinematics(mean_rest_joints(), local, pelvis - mean_rest_joints()[0])
    joint, offset = skin_samples()
    skin = positions[joint] + np.einsum("nab,nb->na", rotations[joint], offset)
    return BonePose(quaternions_from_matrices(rotations)[:, [3, 0, 1, 2]], positions, skin[(skin @ up).argmin()])


@cache
def mean_rest_joints() -> np.ndarray:
    """Joints of the rest pose at mean shape (24, 3), m."""
    return known_body().rest_joints(MEAN_SHAPE)


@cache
def skin_samples() -> SkinSamples:
    """Sample some hundred vertices of the skin, dense on the soles."""
    body = known_body()
    joint = body.skin_weights.argmax(1)
    low = body.v_template[:, 1] < body.v_template[:, 1].min() + SOLE_HEIGHT_M
    soles = np.flatnonzero(np.isin(joint, FOOT_JOINTS) & low)[::SOLE_SAMPLE_EVERY]
    chosen = np.union1d(np.arange(0, len(joint), SAMPLE_EVERY), soles)
    return SkinSamples(joint[chosen], body.v_template[chosen] - mean_rest_joints()[joint[chosen]])
