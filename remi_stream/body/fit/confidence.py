"""Confidence of fitted joints: the probability that a rotation, relative to the parent, is within 20 degrees of the truth.

Logistic regression on what was visible and on how far the fit went from the closed form; the reliability on scenes that it was
not made with is in docs/reference/conventions.md (tools/measure_confidence.py).
"""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import JOINT_NAMES

DISAGREEMENT_RAD = np.radians(60)
"""Turn between closed form and fit that counts as full disagreement."""
UNSEEN_BELOW = 0.4
"""Visibility below which the confidence falls to 0: that a likely pose is often right must not look like a measurement."""
COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "pelvis": (1.8, 0.3, -1.7),
    "hip": (2.0, -0.8, -2.8),
    "spine1": (3.9, 0.1, -1.5),
    "spine2": (3.9, 0.1, -1.5),
    "spine3": (3.9, 0.1, -1.5),
    "knee": (1.4, 0.7, -2.6),
    "ankle": (1.1, 1.5, -0.9),
    "neck": (2.2, 0.1, -1.7),
    "collar": (4.0, 0.0, -0.9),
    "head": (3.3, 0.2, -0.5),
    "shoulder": (-0.1, 0.3, -2.4),
    "elbow": (-0.1, 0.6, -0.7),
    "wrist": (0.3, 1.8, -1.8),
}
"""Of each joint: constant, visibility, disagreement. Fitted to 1,400 rendered frames; toes and fingers are not fitted: 0."""
_FITTED = np.array([name.split("_")[-1] in COEFFICIENTS for name in JOINT_NAMES["smpl24"]])
_CONSTANT, _VISIBLE, _DISAGREEMENT = np.array(
    [COEFFICIENTS.get(name.split("_")[-1], (0.0, 0.0, 0.0)) for name in JOINT_NAMES["smpl24"]]
).T
_COLLARS, _SHOULDERS = [13, 14], [16, 17]


def fit_confidence(visible: np.ndarray, closed_form: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the confidence (24,) in [0, 1] of fitted rotations (24, 3, 3).

    visible: (24,) in [0, 1], the closed form's joint confidence; closed_form: (24, 3, 3), its rotations.
    """
    visible = visible.copy()
    visible[_COLLARS] = visible[_SHOULDERS]
    turns = np.arccos(np.clip(((closed_form * fitted).sum((1, 2)) - 1) / 2, -1, 1))
    logits = _CONSTANT + _VISIBLE * visible + _DISAGREEMENT * np.minimum(turns / DISAGREEMENT_RAD, 1)
    found: np.ndarray = _FITTED * np.minimum(visible / UNSEEN_BELOW, 1) / (1 + np.exp(-logits))
    return found
