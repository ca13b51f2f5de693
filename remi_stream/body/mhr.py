"""Fit a SMPL body to the 70 joints of MHR, in metres: BlazePose landmarks for inverse kinematics, and elbows for arm twist."""

from __future__ import annotations

from typing import Literal

import numpy as np

from remi_stream.body.attachments import OFFSET, landmarks
from remi_stream.body.elbows import FORE, UPPER, Elbows, turn_arms
from remi_stream.body.fit import MEAN_SHAPE, Fit
from remi_stream.body.ik import FACE, Memory, Skeleton, head_rotation
from remi_stream.body.lifting import LIMBS, bone_lengths
from remi_stream.body.smpl import Body, forward_kinematics
from remi_stream.geometry import rotation_vectors
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINTS, indices

CALLED = {
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
_SOURCES = {name: CALLED.get(name, name) for name in JOINTS["blazepose33"] if CALLED.get(name, name) in JOINTS["mhr70"]}
SEEN = indices("blazepose33", tuple(_SOURCES))
SOURCE = indices("mhr70", tuple(_SOURCES.values()))
"""Indices (27,) of the landmarks that MHR has, and of their joints."""
FACE_SEEN = [index for index in SEEN if index < FACE.stop]
FACE_REST = OFFSET[FACE]
OLECRANON = indices("mhr70", ("left_olecranon", "right_olecranon"))
FOSSA = indices("mhr70", ("left_cubital_fossa", "right_cubital_fossa"))


class MhrFitter:
    """Fits one body, at its mean shape, to MHR's joints."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self.lengths = bone_lengths(self._rest_joints)
        self._skeleton = Skeleton(self._rest_joints)

    def fit(self, joints: np.ndarray, visibility: np.ndarray, memory: Memory | None = None, elapsed: float = 0.0) -> Fit:
        """Fit the body to joints (70, 3), m, camera frame; visibility (70,) in [0, 1].

        The joints are not scaled to the body, which may be larger or smaller than the person. memory: state of the same
        person's last frame, elapsed seconds ago.
        """
        points, scores = landmarks_of(joints), landmark_scores(visibility)
        solution = self._skeleton.solve(points, scores, memory, elapsed)
        elbow_scores = np.minimum(visibility[OLECRANON], visibility[FOSSA])
        elbows = Elbows(joints[FOSSA] - joints[OLECRANON], elbow_scores)
        pose = turn_arms(solution, self._rest_joints, self._skeleton.limbs, elbows)
        smpl = Smpl(
            body=self._name,
            global_orient=rotation_vectors(pose.rotations[0]).astype(np.float32),
            body_pose=rotation_vectors(pose.rotations[1:]).astype(np.float32).ravel(),
            betas=MEAN_SHAPE,
            transl=self._transl(pose.rotations, points, scores).astype(np.float32),
            joint_confidence=arm_confidence(pose.joint_confidence, scores, elbow_scores).astype(np.float32),
        )
        return Fit(points, smpl, pose.memory)

    def _transl(self, rotations: np.ndarray, points: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return SMPL's transl (3,), m, as the weighted mean offset of the landmarks (33, 3) from the posed body's."""
        posed = landmarks(*forward_kinematics(self._rest_joints, rotations, np.zeros(3)))
        return np.average((points - posed)[LIMBS], axis=0, weights=np.maximum(scores[LIMBS] ** 2, 1e-3))


def landmarks_of(joints: np.ndarray) -> np.ndarray:
    """Convert MHR's joints (70, 3) to BlazePose's landmarks (33, 3).

    MHR has no mouth and no corners of the eyes. They are placed by the rigid rest face, fitted to nose, eyes and ears, so that
    the head's rotation comes from these alone.
    """
    points = np.empty((len(JOINTS["blazepose33"]), 3))
    points[SEEN] = joints[SOURCE]
    rest, face = FACE_REST[FACE_SEEN], points[FACE_SEEN]
    whole = (FACE_REST - rest.mean(0)) @ head_rotation(rest - rest.mean(0), face).T + face.mean(0)
    points[FACE] = whole
    points[FACE_SEEN] = face
    return points


def landmark_scores(visibility: np.ndarray) -> np.ndarray:
    """Convert scores of joints (70,) to scores of landmarks (33,); landmarks that MHR lacks have the face's mean score."""
    scores = np.full(len(JOINTS["blazepose33"]), visibility[[SOURCE[SEEN.index(index)] for index in FACE_SEEN]].mean())
    scores[SEEN] = visibility[SOURCE]
    return scores


def arm_confidence(confidence: np.ndarray, sure: np.ndarray, elbows_seen: np.ndarray) -> np.ndarray:
    """Raise the confidence (24,) of arms whose hinge axes the elbows show, as for arms whose bend shows them."""
    roots, hinges, tips = sure[[11, 12]], sure[[13, 14]], sure[[15, 16]]
    lower = np.minimum(np.minimum(hinges, tips), elbows_seen)
    arms = confidence.copy()
    arms[UPPER] = np.maximum(arms[UPPER], np.minimum(roots, lower))
    arms[FORE] = np.maximum(arms[FORE], lower)
    return arms
