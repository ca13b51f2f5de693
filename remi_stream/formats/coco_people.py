"""COCO_JOINTS key points of people, from an engine's own key points or projected from the SMPL body."""

from __future__ import annotations

import numpy as np

from remi_stream.body.attachments import LANDMARK_JOINTS, body_landmarks
from remi_stream.body.retarget import retargeter_to_known_body
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.geometry import Intrinsics, project
from remi_stream.messages import Person, Smpl
from remi_stream.skeletons import JOINT_NAMES, joint_indices

COCO_JOINTS = JOINT_NAMES["coco17"]
COCO_FIRST_SKELETONS = ("coco17", "halpe26", "halpe136")
"""Skeletons whose first 17 joints are COCO_JOINTS's; they are exported with all their joints."""
COCO_LANDMARKS = joint_indices("blazepose33", COCO_JOINTS)
"""Indices of COCO_JOINTS's joints among BlazePose's 33 landmarks."""


def coco_first_keypoints(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Return key points (K, 2) px and scores (K,) of 17, 26 or 136 joints, as the engine has; None if it has fewer.

    For an engine with SMPL's joints only, they are projected from its body, with the scores of the joints they are attached to.
    """
    if person.skeleton in COCO_FIRST_SKELETONS:
        return person.keypoints_px, person.keypoint_scores
    if set(COCO_JOINTS) <= set(JOINT_NAMES.get(person.skeleton, ())):
        rows = joint_indices(person.skeleton, COCO_JOINTS)
        return person.keypoints_px[rows], person.keypoint_scores[rows]
    return body_coco_keypoints(person.smpl, intrinsics) if person.smpl else None


def body_coco_keypoints(smpl: Smpl, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Project a body to COCO_JOINTS's key points (17, 2) px, with their scores (17,)."""
    retarget = retargeter_to_known_body(smpl.body)
    own = retarget.retarget(smpl)
    rotations = joint_rotations(own.global_orient, own.body_pose)
    points = body_landmarks(*forward_kinematics(retarget.target.rest_joints(own.betas), rotations, own.transl))[COCO_LANDMARKS]
    return project(points, intrinsics), smpl.joint_confidence[LANDMARK_JOINTS[COCO_LANDMARKS]]


def coco17_keypoints(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the key points and scores of COCO_JOINTS's 17 joints only, or None."""
    keypoints = coco_first_keypoints(person, intrinsics)
    return keypoints and (keypoints[0][: len(COCO_JOINTS)], keypoints[1][: len(COCO_JOINTS)])
