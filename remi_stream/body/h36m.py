"""Fit a SMPL body to the 17 joints of Human3.6M, in metres; unobserved rotations keep the rest pose.

Limbs and trunk follow the joints. Of the head only the lean is observed, which the neck takes entirely; the head's own rotation,
hands and feet stay at rest, with confidence 0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from remi_stream.body.fit import MEAN_SHAPE, smpl_of, transl_of
from remi_stream.body.ik import HEAD_MOST, NECK, SPINE, Memory, Skeleton, Solution, shared
from remi_stream.body.lifting import LIMBS
from remi_stream.body.smpl import Body
from remi_stream.geometry import swing
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINTS, LIMB_JOINTS, indices

SOURCE = indices("h36m17", LIMB_JOINTS)
"""(12,): the limb joints, which are landmarks of BlazePose too."""
HEAD, THORAX = indices("h36m17", ("head", "thorax"))
CROWN_M = 0.01
"""Thickness of the skin layer, from the highest vertex down, whose mean is the top of the head."""
NECK_SEEN = 0.5
"""Confidence of the neck relative to the head's, since its twist is not observed."""
COCO_FACE = indices("coco17", ("nose", "left_eye", "right_eye", "left_ear", "right_ear"))
_CENTRES = {"hip": ("hip",), "spine": ("hip", "shoulder"), "thorax": ("shoulder",)}


class H36mFit(NamedTuple):
    """A body fitted to the joints of one frame."""

    smpl: Smpl
    memory: Memory
    """State for the next frame."""


class H36mFitter:
    """Fits one body, at its mean shape, to H36M's joints."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self._skeleton = Skeleton(self._rest_joints)
        height = body.v_template[:, 1]
        self._up = body.v_template[height > height.max() - CROWN_M].mean(0) - self._rest_joints[NECK]

    def fit(self, joints: np.ndarray, scores: np.ndarray, memory: Memory | None = None, elapsed: float = 0.0) -> H36mFit:
        """Fit the body to joints (17, 3), m, camera frame; scores (17,) in [0, 1], from `scores_of`.

        The joints are not scaled to the body. memory: state of the same person's last frame, elapsed seconds ago.
        """
        points, visibility = landmarks_of(joints, scores)
        pose = self._lean(self._skeleton.solve(points, visibility, memory, elapsed), joints, scores)
        transl = transl_of(self._rest_joints, pose.rotations, points, visibility**2)
        return H36mFit(smpl_of(self._name, pose, transl), pose.memory)

    def _lean(self, pose: Solution, joints: np.ndarray, scores: np.ndarray) -> Solution:
        """Lean the head as observed, by the shortest rotation of the neck."""
        rotations, confidence = pose.rotations.copy(), pose.joint_confidence.copy()
        pelvis, low, middle, high = rotations[[0, *SPINE]]
        up = (pelvis @ low @ middle @ high).T @ (joints[HEAD] - joints[THORAX])
        _, rotations[NECK] = shared(swing(self._up, up), 1, HEAD_MOST)
        confidence[NECK] = NECK_SEEN * min(scores[HEAD], scores[THORAX])
        return pose._replace(rotations=rotations, joint_confidence=confidence)


def landmarks_of(joints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert joints (17, 3), scores (17,) to BlazePose's landmarks (33, 3), visibility (33,); NaN with 0 where unknown."""
    count = len(JOINTS["blazepose33"])
    points, visibility = np.full((count, 3), np.nan), np.zeros(count)
    points[LIMBS], visibility[LIMBS] = joints[SOURCE], scores[SOURCE]
    return points, visibility


def scores_of(coco: np.ndarray) -> np.ndarray:
    """Return scores (17,) of H36M's joints from COCO's (17,); a joint between others has the least of their scores."""
    by_name = dict(zip(JOINTS["coco17"], coco))
    return np.array([_score(name, by_name, float(coco[COCO_FACE].mean())) for name in JOINTS["h36m17"]])


def _score(name: str, coco: dict[str, float], face: float) -> float:
    if name in coco:
        return float(coco[name])
    parts = [f"{side}_{part}" for part in _CENTRES.get(name, ()) for side in ("left", "right")]
    return min((float(coco[part]) for part in parts), default=face)
