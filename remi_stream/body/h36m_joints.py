"""Human3.6M's 17 joints of a SMPL pose.

Limbs are SMPL's joints. Human3.6M's hip is the middle of the two hip joints, its spine is nearest to SMPL's second spine joint,
its thorax to the neck, its neck and nose to the head joint, which lies at the base of the skull; its head is the crown.
"""

from __future__ import annotations

import numpy as np

from remi_stream.body.h36m import CROWN_M
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINTS

_SMPL = JOINTS["smpl24"]
_NEAREST = {"hip": "pelvis", "spine": "spine2", "thorax": "neck", "neck_nose": "head"}
SOURCES = [_SMPL.index(_NEAREST.get(name, name)) for name in JOINTS["h36m17"]]
HIP, CROWN = (JOINTS["h36m17"].index(name) for name in ("hip", "head"))
HIPS = [_SMPL.index("left_hip"), _SMPL.index("right_hip")]
HEAD = _SMPL.index("head")


def h36m_joints(smpl: Smpl, body: Body) -> np.ndarray:
    """The joints (17, 3), m, in transl's frame, of a pose that is meant for this body."""
    resting = body.rest_joints(smpl.betas)
    turns, joints = forward_kinematics(resting, joint_rotations(smpl.global_orient, smpl.body_pose), smpl.transl)
    found = joints[SOURCES]
    found[HIP] = joints[HIPS].mean(0)
    found[CROWN] = joints[HEAD] + turns[HEAD] @ (crown(body) - body.rest_joints(np.zeros(10))[HEAD])
    return found


def crown(body: Body) -> np.ndarray:
    """The top of the head, (3,) m, of the body at rest at its mean shape."""
    height = body.v_template[:, 1]
    found: np.ndarray = body.v_template[height > height.max() - CROWN_M].mean(0)
    return found
