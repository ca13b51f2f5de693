"""The 2D key points of people, in an order that begins with COCO's 17 joints."""

from __future__ import annotations

import numpy as np

from remi_stream.body.attachments import JOINT, landmarks
from remi_stream.body.retarget import onto_known_body
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.geometry import Intrinsics, project
from remi_stream.messages import Person, Smpl
from remi_stream.skeletons import JOINTS, indices

COCO = JOINTS["coco17"]
WHOLE = ("coco17", "halpe26", "halpe136")
"""Skeletons that begin with COCO's joints and are told with all of theirs."""
LANDMARKS = indices("blazepose33", COCO)


def keypoints_of(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Key points (K, 2) px and scores (K,) of 17, 26 or 136 joints, as many as the engine has; None if it has too few.

    Of an engine that gives only SMPL's joints they are where its body has them, as sure as the joints that they hang on.
    """
    if person.skeleton in WHOLE:
        return person.keypoints_px, person.keypoint_scores
    if set(COCO) <= set(JOINTS.get(person.skeleton, ())):
        chosen = indices(person.skeleton, COCO)
        return person.keypoints_px[chosen], person.keypoint_scores[chosen]
    return of_body(person.smpl, intrinsics) if person.smpl else None


def of_body(smpl: Smpl, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """COCO's key points (17, 2) px of a body, and their scores (17,)."""
    onto = onto_known_body(smpl.body)
    own = onto.smpl(smpl)
    turns = joint_rotations(own.global_orient, own.body_pose)
    points = landmarks(*forward_kinematics(onto.target.rest_joints(own.betas), turns, own.transl))[LANDMARKS]
    return project(points, intrinsics), smpl.joint_confidence[JOINT[LANDMARKS]]


def body_keypoints(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """As `keypoints_of`, of COCO's 17 joints only."""
    found = keypoints_of(person, intrinsics)
    return found and (found[0][: len(COCO)], found[1][: len(COCO)])
