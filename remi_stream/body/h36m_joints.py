"""Convert a SMPL pose to Human3.6M's 17 joints.

Limbs are SMPL's joints. Human3.6M's hip is the midpoint of the two hip joints, its spine is nearest to SMPL's second spine joint,
its thorax to the neck, its neck/nose to the head joint, which lies at the base of the skull; its head is the top of the head.
"""

from __future__ import annotations

import numpy as np

from remi_stream.body.h36m import HEAD_TOP_LAYER_M
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINT_NAMES

_SMPL = JOINT_NAMES["smpl24"]
_NEAREST = {"hip": "pelvis", "spine": "spine2", "thorax": "neck", "neck_nose": "head"}
SMPL_SOURCES = [_SMPL.index(_NEAREST.get(name, name)) for name in JOINT_NAMES["h36m17"]]
H36M_HIP, H36M_HEAD_TOP = (JOINT_NAMES["h36m17"].index(name) for name in ("hip", "head"))
SMPL_HIPS = [_SMPL.index("left_hip"), _SMPL.index("right_hip")]
SMPL_HEAD = _SMPL.index("head")


def h36m_from_smpl(smpl: Smpl, body: Body) -> np.ndarray:
    """Return the joints (17, 3), m, in transl's frame, of a pose of this body."""
    rest_joints = body.rest_joints(smpl.betas)
    world, joints = forward_kinematics(rest_joints, joint_rotations(smpl.global_orient, smpl.body_pose), smpl.transl)
    found = joints[SMPL_SOURCES]
    found[H36M_HIP] = joints[SMPL_HIPS].mean(0)
    found[H36M_HEAD_TOP] = joints[SMPL_HEAD] + world[SMPL_HEAD] @ (head_top(body) - body.rest_joints(np.zeros(10))[SMPL_HEAD])
    return found


def head_top(body: Body) -> np.ndarray:
    """Return the top of the head, (3,) m, in the rest pose of the mean shape."""
    height = body.v_template[:, 1]
    found: np.ndarray = body.v_template[height > height.max() - HEAD_TOP_LAYER_M].mean(0)
    return found
