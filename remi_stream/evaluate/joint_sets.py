"""Which joints are compared, by their names, and where a person's stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.messages import Person
from remi_stream.skeletons import JOINTS, LIMB_JOINTS, indices

HIPS = ("left_hip", "right_hip")


class JointSet(NamedTuple):
    """names: of the joints. root: those whose middle all joints are taken from. of_body: not an engine's own, but SMPL's."""

    name: str
    what: str
    names: tuple[str, ...]
    root: tuple[str, ...]
    of_body: bool

    def root_of(self, joints: np.ndarray) -> np.ndarray:
        """The roots (..., 3) of joints (..., J, 3)."""
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
    """A person's joints of a set, (J, 3) float64 m, camera frame; None if they have none. body: of their pose."""
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
