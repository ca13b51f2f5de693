"""Fit a SMPL body to the 70 joints of MHR, in metres: BlazePose landmarks for inverse kinematics, and elbows for arm twist."""

from __future__ import annotations

from typing import Literal

import numpy as np

from remi_stream.body.attachments import LANDMARK_OFFSETS, body_landmarks
from remi_stream.body.elbows import FOREARMS, UPPER_ARMS, ElbowDirections, twist_arms
from remi_stream.body.fit import MEAN_SHAPE, LandmarkFit
from remi_stream.body.ik import FACE, IkSolver, IkState, head_rotation
from remi_stream.body.lifting import LIMB_LANDMARKS, bone_lengths
from remi_stream.body.smpl import Body, forward_kinematics
from remi_stream.geometry import axis_angle_from_matrices
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINT_NAMES, joint_indices

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


class MhrFitter:
    """Fits one body, at its mean shape, to MHR's joints."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self.bone_lengths_m = bone_lengths(self._rest_joints)
        self._skeleton = IkSolver(self._rest_joints)

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
        smpl = Smpl(
            body=self._name,
            global_orient=axis_angle_from_matrices(pose.rotations[0]).astype(np.float32),
            body_pose=axis_angle_from_matrices(pose.rotations[1:]).astype(np.float32).ravel(),
            betas=MEAN_SHAPE,
            transl=self._transl(pose.rotations, points, scores).astype(np.float32),
            joint_confidence=raise_arm_confidence(pose.joint_confidence, scores, elbow_scores).astype(np.float32),
        )
        return LandmarkFit(points, smpl, pose.ik_state)

    def _transl(self, rotations: np.ndarray, points: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return SMPL's transl (3,), m, as the weighted mean offset of the landmarks (33, 3) from the posed body's."""
        posed = body_landmarks(*forward_kinematics(self._rest_joints, rotations, np.zeros(3)))
        return np.average((points - posed)[LIMB_LANDMARKS], axis=0, weights=np.maximum(scores[LIMB_LANDMARKS] ** 2, 1e-3))


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
