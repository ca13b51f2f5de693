"""A SMPL body from the 17 joints of Human3.6M, in metres: what they do not show keeps its rest pose.

Limbs and trunk are those of the joints. Of the head they show how far it leans, which the neck takes all of, and not which way
it looks: the head itself, hands and feet stay at rest, with no confidence.
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
"""(12,), the joints that are landmarks too: those of the limbs."""
HEAD, THORAX = indices("h36m17", ("head", "thorax"))
CROWN_M = 0.01
"""How much of the skin, from its highest point down, is the top of the head."""
NECK_SEEN = 0.5
"""How much of the neck's turn is told by where the head leans."""
COCO_FACE = indices("coco17", ("nose", "left_eye", "right_eye", "left_ear", "right_ear"))
_CENTRES = {"hip": ("hip",), "spine": ("hip", "shoulder"), "thorax": ("shoulder",)}


class H36mFit(NamedTuple):
    """A body, and what inverse kinematics holds for the next frame."""

    smpl: Smpl
    memory: Memory


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

        The joints keep their scale: the body stands where they are. memory: what the same person's last frame left, elapsed
        seconds ago.
        """
        points, seen = landmarks_of(joints, scores)
        pose = self._lean(self._skeleton.solve(points, seen, memory, elapsed), joints, scores)
        transl = transl_of(self._rest_joints, pose.rotations, points, seen**2)
        return H36mFit(smpl_of(self._name, pose, transl), pose.memory)

    def _lean(self, pose: Solution, joints: np.ndarray, scores: np.ndarray) -> Solution:
        """Lean the head as it is seen, by the shortest turn of the neck."""
        rotations, confidence = pose.rotations.copy(), pose.joint_confidence.copy()
        pelvis, low, middle, high = rotations[[0, *SPINE]]
        up = (pelvis @ low @ middle @ high).T @ (joints[HEAD] - joints[THORAX])
        _, rotations[NECK] = shared(swing(self._up, up), 1, HEAD_MOST)
        confidence[NECK] = NECK_SEEN * min(scores[HEAD], scores[THORAX])
        return pose._replace(rotations=rotations, joint_confidence=confidence)


def landmarks_of(joints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (17, 3) with scores (17,) as BlazePose's landmarks (33, 3), and how visible these are (33,): NaN, 0 if unknown."""
    count = len(JOINTS["blazepose33"])
    points, seen = np.full((count, 3), np.nan), np.zeros(count)
    points[LIMBS], seen[LIMBS] = joints[SOURCE], scores[SOURCE]
    return points, seen


def scores_of(coco: np.ndarray) -> np.ndarray:
    """How sure H36M's joints are, (17,), from COCO's scores (17,): of a joint between others, the least sure of these."""
    by_name = dict(zip(JOINTS["coco17"], coco))
    return np.array([_score(name, by_name, float(coco[COCO_FACE].mean())) for name in JOINTS["h36m17"]])


def _score(name: str, coco: dict[str, float], face: float) -> float:
    if name in coco:
        return float(coco[name])
    parts = [f"{side}_{part}" for part in _CENTRES.get(name, ()) for side in ("left", "right")]
    return min((float(coco[part]) for part in parts), default=face)
