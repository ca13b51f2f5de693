"""Joint sets of an evaluation, and the positions of a person's joints in a set."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.messages import Person
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices

HIP_JOINTS = ("left_hip", "right_hip")


class JointSet(NamedTuple):
    """A set of joints that is compared."""

    name: str
    description: str
    """Description in tables and charts."""
    names: tuple[str, ...]
    """Names of the joints."""
    root: tuple[str, ...]
    """Joints whose mean is the root that positions are relative to."""
    is_smpl: bool
    """Uses SMPL's joints only, not an engine's own."""

    def root_positions(self, joints: np.ndarray) -> np.ndarray:
        """Return the roots (..., 3) of joints (..., J, 3)."""
        return joints[..., [self.names.index(name) for name in self.root], :].mean(-2)


JOINT_SETS = {
    each.name: each
    for each in (
        JointSet("smpl24", "the 24 joints of SMPL, from the pelvis", JOINT_NAMES["smpl24"], ("pelvis",), True),
        JointSet(
            "lsp14",
            "LSP's 14 as SMPL's joints: limbs, neck, head, from mid-hips",
            (*LIMB_JOINTS, "neck", "head"),
            HIP_JOINTS,
            True,
        ),
        JointSet("limbs12", "the 12 joints of the limbs as published, from mid-hips", LIMB_JOINTS, HIP_JOINTS, False),
    )
}


def joint_set_positions(person: Person, joint_set: JointSet, body: Body | None) -> np.ndarray | None:
    """Return a person's joints of a set, (J, 3) float64 m, camera frame, or None. body: the body model of the pose."""
    skeleton = person.effective_joints_skeleton
    if (
        len(person.joints_m)
        and set(joint_set.names) <= set(JOINT_NAMES.get(skeleton, ()))
        and (not joint_set.is_smpl or skeleton == "smpl24")
    ):
        return person.joints_m[joint_indices(skeleton, joint_set.names)].astype(float)
    smpl = person.smpl
    if smpl is None or body is None:
        return None
    joints = body.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    return joints[joint_indices("smpl24", joint_set.names)]
