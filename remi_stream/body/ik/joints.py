"""Fits of a SMPL body to the joints of other skeletons, in metres: Human3.6M's 17 and MHR's 70; and SMPL's joints as Human3.6M's.

Of Human3.6M, limbs and trunk follow the joints. Of the head only the lean is observed, which the neck takes entirely; the head's
own rotation, hands and feet stay at rest, with confidence 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.ik.limbs import FOREARM_TWIST_SHARE, FULL_BEND, MIN_BEND, LimbRest, rotation_about, twist_angles
from remi_stream.body.ik.solver import (
    FACE,
    LANDMARK_OFFSETS,
    LIMB_LANDMARKS,
    MAX_HEAD_ANGLE,
    NECK,
    SPINE,
    BodyFitter,
    IkSolution,
    IkState,
    LandmarkFit,
    head_rotation,
    split_rotation,
)
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations
from remi_stream.geometry import angle_between, cross_product, shortest_rotation
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices

H36M_LIMBS = joint_indices("h36m17", LIMB_JOINTS)
"""(12,): the limb joints, which are landmarks of BlazePose too."""
H36M_HEAD, H36M_THORAX = joint_indices("h36m17", ("head", "thorax"))
HEAD_TOP_LAYER_M = 0.01
"""Thickness of the skin layer, from the highest vertex down, whose mean is the top of the head."""
NECK_CONFIDENCE = 0.5
"""Confidence of the neck relative to the head's, since its twist is not observed."""
COCO_FACE = joint_indices("coco17", ("nose", "left_eye", "right_eye", "left_ear", "right_ear"))
_CENTRES = {"hip": ("hip",), "spine": ("hip", "shoulder"), "thorax": ("shoulder",)}


class H36mFit(NamedTuple):
    """A body fitted to the joints of one frame."""

    smpl: Smpl
    ik_state: IkState
    """State for the next frame."""


class H36mFitter(BodyFitter):
    """Fits one body, at its mean shape, to H36M's joints."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self._up = head_top(body) - self._rest_joints[NECK]

    def fit(self, joints: np.ndarray, scores: np.ndarray, ik_state: IkState | None = None, elapsed: float = 0.0) -> H36mFit:
        """Fit the body to joints (17, 3), m, camera frame; scores (17,) in [0, 1], from `h36m_scores_from_coco`.

        The joints are not scaled to the body. ik_state: state of the same person's last frame, elapsed seconds ago.
        """
        points, visibility = landmarks_from_h36m(joints, scores)
        pose = self._lean(self._skeleton.solve(points, visibility, ik_state, elapsed), joints, scores)
        return H36mFit(self._smpl(pose, points, visibility**2), pose.ik_state)

    def _lean(self, pose: IkSolution, joints: np.ndarray, scores: np.ndarray) -> IkSolution:
        """Lean the head as observed, by the shortest rotation of the neck."""
        rotations, confidence = pose.rotations.copy(), pose.joint_confidence.copy()
        pelvis, low, middle, high = rotations[[0, *SPINE]]
        up = (pelvis @ low @ middle @ high).T @ (joints[H36M_HEAD] - joints[H36M_THORAX])
        _, rotations[NECK] = split_rotation(shortest_rotation(self._up, up), 1, MAX_HEAD_ANGLE)
        confidence[NECK] = NECK_CONFIDENCE * min(scores[H36M_HEAD], scores[H36M_THORAX])
        return pose._replace(rotations=rotations, joint_confidence=confidence)


def landmarks_from_h36m(joints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert joints (17, 3), scores (17,) to BlazePose's landmarks (33, 3), visibility (33,); NaN with 0 where unknown."""
    count = len(JOINT_NAMES["blazepose33"])
    points, visibility = np.full((count, 3), np.nan), np.zeros(count)
    points[LIMB_LANDMARKS], visibility[LIMB_LANDMARKS] = joints[H36M_LIMBS], scores[H36M_LIMBS]
    return points, visibility


def h36m_scores_from_coco(coco: np.ndarray) -> np.ndarray:
    """Return scores (17,) of H36M's joints from COCO's (17,); a joint between others has the least of their scores."""
    by_name = dict(zip(JOINT_NAMES["coco17"], coco))
    return np.array([_score(name, by_name, float(coco[COCO_FACE].mean())) for name in JOINT_NAMES["h36m17"]])


def _score(name: str, coco: dict[str, float], face: float) -> float:
    if name in coco:
        return float(coco[name])
    parts = [f"{side}_{part}" for part in _CENTRES.get(name, ()) for side in ("left", "right")]
    return min((float(coco[part]) for part in parts), default=face)


# Convert a SMPL pose to Human3.6M's 17 joints.
#
# Limbs are SMPL's joints. Human3.6M's hip is the midpoint of the two hip joints, its spine is nearest to SMPL's second spine
# joint, its thorax to the neck, its neck/nose to the head joint, which lies at the base of the skull; its head is the top of
# the head.

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


# Twist of a straight arm from olecranon and cubital fossa: they show the elbow's hinge axis when no bend does.

COLLARS, UPPER_ARMS, FOREARMS, HANDS = [13, 14], [16, 17], [18, 19], [20, 21]
"""Joints of the left and the right arm."""
MIN_ELBOW_DEPTH_M = 0.02
"""Least distance of the two sides of an elbow, which are some 7 cm apart; below it the direction is noise."""


class ElbowDirections(NamedTuple):
    """Both elbows as observed, left and right."""

    front: np.ndarray
    """(2, 3) m, from the olecranon (tip) to the cubital fossa (hollow)."""
    visibility: np.ndarray
    """(2,) in [0, 1]: visibility."""


def twist_arms(solution: IkSolution, rest_joints: np.ndarray, rest: LimbRest, elbows: ElbowDirections) -> IkSolution:
    """Twist the upper arms until their hinge axes agree with the elbows', the less the more an arm is bent.

    The hinge axis is perpendicular to the upper arm and to `front`. Forearms keep their direction, and hands their orientation;
    the forearm takes the same share of the hand's twist as in `solve_extremities`. rest_joints: (24, 3) m.
    """
    world, _ = forward_kinematics(rest_joints, solution.rotations, np.zeros(3))
    upper, fore = world[UPPER_ARMS], world[FOREARMS]
    bone, below = rotate(upper, rest.upper[:2]), rotate(fore, rest.lower[:2])
    share = elbow_weights(angle_between(bone, below), elbows)
    turn = share * signed_angle(bone, rotate(upper, rest.axis[:2]), cross_product(bone, elbows.front))
    turned = rotation_about(bone, turn) @ upper
    shift = untwisted_forearms(upper, below, rest).swapaxes(1, 2) @ untwisted_forearms(turned, below, rest)
    twisted = fore @ rotation_about(rest.lower[:2], (1 - FOREARM_TWIST_SHARE) * twist_angles(shift, rest.lower[:2], np.zeros(2)))
    rotations = solution.rotations.copy()
    rotations[UPPER_ARMS] = world[COLLARS].swapaxes(1, 2) @ turned
    rotations[FOREARMS] = turned.swapaxes(1, 2) @ twisted
    rotations[HANDS] = twisted.swapaxes(1, 2) @ world[HANDS]
    return solution._replace(rotations=rotations)


def elbow_weights(bend: np.ndarray, elbows: ElbowDirections) -> np.ndarray:
    """Return the weight (2,) in [0, 1] of the elbows: 1 for a straight arm, 0 for one whose bend shows the hinge axis."""
    straight = 1 - np.clip((bend - MIN_BEND) / (FULL_BEND - MIN_BEND), 0, 1)
    return straight * elbows.visibility * (np.linalg.norm(elbows.front, axis=1) > MIN_ELBOW_DEPTH_M)


def signed_angle(axes: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the signed angles (N,), rad, from start to end (N, 3), both perpendicular to the unit axes (N, 3)."""
    return np.arctan2((cross_product(start, end) * axes).sum(1), (start * end).sum(1))


def untwisted_forearms(upper: np.ndarray, below: np.ndarray, rest: LimbRest) -> np.ndarray:
    """Return world rotations (2, 3, 3) of forearms along below (2, 3) without a twist relative to the upper arms (2, 3, 3)."""
    return upper @ shortest_rotation(rest.lower[:2], rotate(upper.swapaxes(1, 2), below))


def rotate(rotations: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Apply rotations (N, 3, 3) to vectors (N, 3)."""
    return np.einsum("nab,nb->na", rotations, vectors)


# Fit a SMPL body to the 70 joints of MHR, in metres: BlazePose landmarks for inverse kinematics, and elbows for arm twist.

MHR_NAMES = {
    f"{side}_{landmark}": f"{side}_{joint}"
    for side in ("left", "right")
    for landmark, joint in (
        ("pinky", "pinky_third_joint"),
        ("index", "index_third_joint"),
        ("thumb", "thumb_second_joint"),
        ("foot_index", "big_toe"),
    )
}
"""MHR's names of the BlazePose landmarks that it names differently: knuckles and toes."""
_SOURCES = {
    name: MHR_NAMES.get(name, name) for name in JOINT_NAMES["blazepose33"] if MHR_NAMES.get(name, name) in JOINT_NAMES["mhr70"]
}
MHR_LANDMARKS = joint_indices("blazepose33", tuple(_SOURCES))
MHR_SOURCES = joint_indices("mhr70", tuple(_SOURCES.values()))
"""Indices (27,) of the landmarks that MHR has, and of their joints."""
MHR_FACE = [index for index in MHR_LANDMARKS if index < FACE.stop]
FACE_REST = LANDMARK_OFFSETS[FACE]
OLECRANON = joint_indices("mhr70", ("left_olecranon", "right_olecranon"))
FOSSA = joint_indices("mhr70", ("left_cubital_fossa", "right_cubital_fossa"))


class MhrFitter(BodyFitter):
    """Fits one body, at its mean shape, to MHR's joints."""

    def fit(
        self, joints: np.ndarray, visibility: np.ndarray, ik_state: IkState | None = None, elapsed: float = 0.0
    ) -> LandmarkFit:
        """Fit the body to joints (70, 3), m, camera frame; visibility (70,) in [0, 1].

        The joints are not scaled to the body, which may be larger or smaller than the person. ik_state: state of the same
        person's last frame, elapsed seconds ago.
        """
        points, scores = landmarks_from_mhr(joints), landmark_scores_from_mhr(visibility)
        solution = self._skeleton.solve(points, scores, ik_state, elapsed)
        elbow_scores = np.minimum(visibility[OLECRANON], visibility[FOSSA])
        elbows = ElbowDirections(joints[FOSSA] - joints[OLECRANON], elbow_scores)
        pose = twist_arms(solution, self._rest_joints, self._skeleton.limbs, elbows)
        pose = pose._replace(joint_confidence=raise_arm_confidence(pose.joint_confidence, scores, elbow_scores))
        return LandmarkFit(points, self._smpl(pose, points, landmark_scores_from_mhr(visibility) ** 2), pose.ik_state)


def landmarks_from_mhr(joints: np.ndarray) -> np.ndarray:
    """Convert MHR's joints (70, 3) to BlazePose's landmarks (33, 3).

    MHR has no mouth and no corners of the eyes. They are placed by the rigid rest face, fitted to nose, eyes and ears, so that
    the head's rotation comes from these alone.
    """
    points = np.empty((len(JOINT_NAMES["blazepose33"]), 3))
    points[MHR_LANDMARKS] = joints[MHR_SOURCES]
    rest, face = FACE_REST[MHR_FACE], points[MHR_FACE]
    whole = (FACE_REST - rest.mean(0)) @ head_rotation(rest - rest.mean(0), face).T + face.mean(0)
    points[FACE] = whole
    points[MHR_FACE] = face
    return points


def landmark_scores_from_mhr(visibility: np.ndarray) -> np.ndarray:
    """Convert scores of joints (70,) to scores of landmarks (33,); landmarks that MHR lacks have the face's mean score."""
    scores = np.full(
        len(JOINT_NAMES["blazepose33"]), visibility[[MHR_SOURCES[MHR_LANDMARKS.index(index)] for index in MHR_FACE]].mean()
    )
    scores[MHR_LANDMARKS] = visibility[MHR_SOURCES]
    return scores


def raise_arm_confidence(confidence: np.ndarray, landmark_scores: np.ndarray, elbow_scores: np.ndarray) -> np.ndarray:
    """Raise the confidence (24,) of arms whose hinge axes the elbows show, as for arms whose bend shows them."""
    roots, hinges, tips = landmark_scores[[11, 12]], landmark_scores[[13, 14]], landmark_scores[[15, 16]]
    lower = np.minimum(np.minimum(hinges, tips), elbow_scores)
    arms = confidence.copy()
    arms[UPPER_ARMS] = np.maximum(arms[UPPER_ARMS], np.minimum(roots, lower))
    arms[FOREARMS] = np.maximum(arms[FOREARMS], lower)
    return arms
