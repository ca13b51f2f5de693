"""Confidence of fitted joints: the probability that a rotation, relative to the parent, is within 20 degrees of the truth.

Logistic regression on what was visible and on the prior's own spread; the reliability on scenes that it was not made with is in
docs/reference/conventions.md (tools/measure_confidence.py).
"""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import JOINT_NAMES

RIGHT_RAD = np.radians(20)
UNSEEN_BELOW = 0.4
"""Visibility below which the confidence falls to 0: that a likely pose is often right must not look like a measurement."""
COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "pelvis": (3.0, 0.7, -1.4),
    "hip": (1.6, 0.4, -1.3),
    "spine1": (3.0, 0.6, -1.5),
    "spine2": (3.0, 0.6, -1.5),
    "spine3": (3.0, 0.6, -1.5),
    "knee": (1.6, 0.3, -1.6),
    "ankle": (2.3, 0.7, -1.3),
    "neck": (3.0, 0.6, -1.5),
    "collar": (2.0, 0.6, -1.0),
    "head": (1.9, 0.6, -0.8),
    "shoulder": (0.9, 0.1, -2.5),
    "elbow": (-0.8, 0.8, -0.3),
    "wrist": (2.5, 0.7, -1.1),
}
"""Of each joint: constant, visibility, logarithm of the prior's spread over 20 degrees. Fitted to 220 frames of five rendered
scenes and rounded towards less; toes and fingers are not fitted: 0."""
_FITTED = np.array([name.split("_")[-1] in COEFFICIENTS for name in JOINT_NAMES["smpl24"]])
_CONSTANT, _VISIBLE, _SPREAD = np.array(
    [COEFFICIENTS.get(name.split("_")[-1], (0.0, 0.0, 0.0)) for name in JOINT_NAMES["smpl24"]]
).T
_COLLARS, _SHOULDERS = [13, 14], [16, 17]


def fit_confidence(visible: np.ndarray, spreads_rad: np.ndarray) -> np.ndarray:
    """Return the confidence (24,) in [0, 1] of fitted joints.

    visible: (24,) in [0, 1], the closed form's joint confidence; spreads_rad: (24,) or (24, 3) rad, the rotation prior's.
    """
    visible = visible.copy()
    visible[_COLLARS] = visible[_SHOULDERS]
    spreads = spreads_rad.reshape(24, -1).mean(1)
    logits = _CONSTANT + _VISIBLE * visible + _SPREAD * np.log(np.maximum(spreads, 1e-3) / RIGHT_RAD)
    found: np.ndarray = _FITTED * np.minimum(visible / UNSEEN_BELOW, 1) / (1 + np.exp(-logits))
    return found
