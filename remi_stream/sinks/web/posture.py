"""A published pose as the bones of the body that is drawn."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from remi_stream.body.retarget import known_body, onto_known_body
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.geometry import quaternions
from remi_stream.messages import Smpl

EVERY = 40
FOOT_EVERY = 8
FEET = (7, 8, 10, 11)
SOLE_M = 0.03

MEAN_SHAPE = np.zeros(10)


class Posture(NamedTuple):
    """wxyz: (24, 4) and positions: (24, 3), m: the bones in the camera's frame. lowest: (3,), m: where it touches the ground."""

    wxyz: np.ndarray
    positions: np.ndarray
    lowest: np.ndarray


class Feelers(NamedTuple):
    """Points on the skin, each stiff on one bone: joint (N,), offset (N, 3), m, from the joint of the resting body."""

    joint: np.ndarray
    offset: np.ndarray


def posture(smpl: Smpl, up: np.ndarray) -> Posture:
    """Pose the body that is drawn, at its mean shape, with its pelvis where it was published. up: (3,), camera frame."""
    smpl = onto_known_body(smpl.body).smpl(smpl)
    turns = joint_rotations(smpl.global_orient, smpl.body_pose)
    pelvis = known_body().rest_joints(smpl.betas)[0] + smpl.transl
    rotations, positions = forward_kinematics(rest_joints(), turns, pelvis - rest_joints()[0])
    joint, offset = feelers()
    skin = positions[joint] + np.einsum("nab,nb->na", rotations[joint], offset)
    return Posture(quaternions(rotations)[:, [3, 0, 1, 2]], positions, skin[(skin @ up).argmin()])


@cache
def rest_joints() -> np.ndarray:
    """Joints of the resting body (24, 3), m."""
    return known_body().rest_joints(MEAN_SHAPE)


@cache
def feelers() -> Feelers:
    """Some hundred points all over the skin, dense on the soles."""
    body = known_body()
    joint = body.skin_weights.argmax(1)
    low = body.v_template[:, 1] < body.v_template[:, 1].min() + SOLE_M
    soles = np.flatnonzero(np.isin(joint, FEET) & low)[::FOOT_EVERY]
    chosen = np.union1d(np.arange(0, len(joint), EVERY), soles)
    return Feelers(joint[chosen], body.v_template[chosen] - rest_joints()[joint[chosen]])
