"""Joint sets of an evaluation, and the positions of a person's joints in a set."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.messages import Person
from remi_stream.skeletons import JOINTS, LIMB_JOINTS, indices

HIPS = ("left_hip", "right_hip")


class JointSet(NamedTuple):
    """A set of joints that is compared."""

    name: str
    what: str
    """Description in tables and charts."""
    names: tuple[str, ...]
    """Names of the joints."""
    root: tuple[str, ...]
    """Joints whose mean is the root that positions are relative to."""
    of_body: bool
    """Uses SMPL's joints only, not an engine's own."""

    def root_of(self, joints: np.ndarray) -> np.ndarray:
        """Return the roots (..., 3) of joints (..., J, 3)."""
        return joints[..., [self.names.index(name) for name in self.root], :].mean(-2)


JOINT_SETS = {
    each.name: each
    for each in (
        JointSet("smpl24", "the 24 joints of SMPL, from the pelvis", JOINTS["smpl24"], ("pelvis",), True),
        JointSet(
            "lsp14", "LSP's 14 as SMPL's joints: limbs, neck, head, from mid-hips", (*LIMB_JOINTS, "neck", "head"), HIPS, True
        ),
        JointSet("limbs12", "the 12 joints of the limbs as published, from mid-hips", LIMB_JOINTS, HIPS, False),
    )
}


def joints_of(person: Person, joint_set: JointSet, body: Body | None) -> np.ndarray | None:
    """Return a person's joints of a set, (J, 3) float64 m, camera frame, or None. body: the body model of the pose."""
    skeleton = person.skeleton_of_joints
    if (
        len(person.joints_m)
        and set(joint_set.names) <= set(JOINTS.get(skeleton, ()))
        and (not joint_set.of_body or skeleton == "smpl24")
    ):
        return person.joints_m[indices(skeleton, joint_set.names)].astype(float)
    smpl = person.smpl
    if smpl is None or body is None:
        return None
    joints = body.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    return joints[indices("smpl24", joint_set.names)]
