"""Fit a SMPL body to the 17 joints of Human3.6M, in metres; unobserved rotations keep the rest pose.

Limbs and trunk follow the joints. Of the head only the lean is observed, which the neck takes entirely; the head's own rotation,
hands and feet stay at rest, with confidence 0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from remi_stream.body.fit import MEAN_SHAPE, fit_transl, make_smpl
from remi_stream.body.ik import MAX_HEAD_ANGLE, NECK, SPINE, IkSolution, IkSolver, IkState, split_rotation
from remi_stream.body.lifting import LIMB_LANDMARKS
from remi_stream.body.smpl import Body
from remi_stream.geometry import shortest_rotation
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


class H36mFitter:
    """Fits one body, at its mean shape, to H36M's joints."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self._skeleton = IkSolver(self._rest_joints)
        height = body.v_template[:, 1]
        self._up = body.v_template[height > height.max() - HEAD_TOP_LAYER_M].mean(0) - self._rest_joints[NECK]

    def fit(self, joints: np.ndarray, scores: np.ndarray, ik_state: IkState | None = None, elapsed: float = 0.0) -> H36mFit:
        """Fit the body to joints (17, 3), m, camera frame; scores (17,) in [0, 1], from `h36m_scores_from_coco`.

        The joints are not scaled to the body. ik_state: state of the same person's last frame, elapsed seconds ago.
        """
        points, visibility = landmarks_from_h36m(joints, scores)
        pose = self._lean(self._skeleton.solve(points, visibility, ik_state, elapsed), joints, scores)
        transl = fit_transl(self._rest_joints, pose.rotations, points, visibility**2)
        return H36mFit(make_smpl(self._name, pose, transl), pose.ik_state)

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
