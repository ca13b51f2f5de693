"""COCO key points of people, from an engine's own key points or projected from the SMPL body."""

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
"""Skeletons whose first 17 joints are COCO's; they are exported with all their joints."""
LANDMARKS = indices("blazepose33", COCO)
"""Indices of COCO's joints among BlazePose's 33 landmarks."""


def keypoints_of(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Return key points (K, 2) px and scores (K,) of 17, 26 or 136 joints, as the engine has; None if it has fewer.

    For an engine with SMPL's joints only, they are projected from its body, with the scores of the joints they are attached to.
    """
    if person.skeleton in WHOLE:
        return person.keypoints_px, person.keypoint_scores
    if set(COCO) <= set(JOINTS.get(person.skeleton, ())):
        rows = indices(person.skeleton, COCO)
        return person.keypoints_px[rows], person.keypoint_scores[rows]
    return of_body(person.smpl, intrinsics) if person.smpl else None


def of_body(smpl: Smpl, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Project a body to COCO's key points (17, 2) px, with their scores (17,)."""
    retarget = onto_known_body(smpl.body)
    own = retarget.smpl(smpl)
    rotations = joint_rotations(own.global_orient, own.body_pose)
    points = landmarks(*forward_kinematics(retarget.target.rest_joints(own.betas), rotations, own.transl))[LANDMARKS]
    return project(points, intrinsics), smpl.joint_confidence[JOINT[LANDMARKS]]


def body_keypoints(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the key points and scores of COCO's 17 joints only, or None."""
    keypoints = keypoints_of(person, intrinsics)
    return keypoints and (keypoints[0][: len(COCO)], keypoints[1][: len(COCO)])
