"""What is known of a pose before it is seen: a likely pose, limits of the joints, spreads of the closed form's rotations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.fit.landmark_model import FREE_JOINTS
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.skeletons import JOINT_NAMES

LIMIT_SPREAD_RAD = 0.1
"""How far a joint may go beyond its limits."""
FREE = np.inf


class JointRange(NamedTuple):
    """A joint of the left side or the middle: rotation vectors in degrees."""

    likely: tuple[float, float, float]
    """Rotation of a person who stands at ease."""
    spreads: tuple[float, float, float]
    """Standard deviations about it."""
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    """Limits."""


RANGES = {
    "pelvis": JointRange((0, 0, 0), (FREE,) * 3, (-FREE,) * 3, (FREE,) * 3),
    "spine1": JointRange((3, 0, 0), (12, 8, 8), (-20, -20, -20), (45, 20, 20)),
    "spine2": JointRange((0, 0, 0), (12, 8, 8), (-20, -20, -20), (35, 20, 20)),
    "spine3": JointRange((0, 0, 0), (8, 8, 8), (-20, -20, -20), (30, 20, 20)),
    "neck": JointRange((5, 0, 0), (20, 20, 15), (-45, -50, -35), (45, 50, 35)),
    "head": JointRange((0, 0, 0), (20, 20, 15), (-45, -50, -35), (45, 50, 35)),
    "left_collar": JointRange((0, 0, 0), (5, 8, 10), (-15, -25, -15), (15, 25, 40)),
    "left_shoulder": JointRange((5, -10, -65), (45, 45, 50), (-100, -130, -110), (100, 70, 100)),
    "left_elbow": JointRange((0, -25, 0), (40, 50, 10), (-95, -155, -15), (95, 8, 15)),
    "left_wrist": JointRange((0, 0, 0), (25, 25, 25), (-90, -50, -80), (90, 50, 80)),
    "left_hip": JointRange((-10, 0, 0), (45, 20, 20), (-135, -70, -50), (45, 70, 80)),
    "left_knee": JointRange((12, 0, 0), (45, 8, 8), (-8, -20, -15), (155, 20, 15)),
    "left_ankle": JointRange((0, 0, 0), (20, 15, 12), (-50, -40, -35), (50, 40, 35)),
}
"""From the reach of people's joints (American Academy of Orthopaedic Surgeons, rounded), and the rest pose: arms sideways."""
MIRROR = np.array([1.0, -1.0, -1.0])
"""Signs of a rotation vector of the other side."""


def _rows(field: str) -> np.ndarray:
    """(20, 3) rad: a field of the free joints, those of the right side mirrored."""
    found = []
    for joint in FREE_JOINTS:
        name = JOINT_NAMES["smpl24"][joint]
        row = np.radians(getattr(RANGES[name.replace("right", "left")], field))
        if name.startswith("right") and field != "spreads":
            other = np.radians(
                getattr(RANGES[name.replace("right", "left")], {"lower": "upper", "upper": "lower"}.get(field, field))
            )
            row = np.where(MIRROR > 0, row, MIRROR * other)
        found.append(row)
    return np.array(found)


LIKELY_ROTATIONS = matrices_from_axis_angle(_rows("likely"))
"""(20, 3, 3), of the free joints."""
LIKELY_SPREADS = _rows("spreads")
"""(20, 3) rad."""
LOWER_LIMITS, UPPER_LIMITS = _rows("lower"), _rows("upper")
"""(20, 3) rad, of the rotation vectors' components."""

CLOSED_FORM_DEGREES = {
    "pelvis": 20, "spine1": 12, "spine2": 12, "spine3": 12, "neck": 15, "head": 15, "collar": 12, "shoulder": 40, "elbow": 35,
    "wrist": 35, "hip": 30, "knee": 20, "ankle": 35, "foot": 30, "hand": 30,
}  # fmt: skip
CLOSED_FORM_SPREADS = np.radians([CLOSED_FORM_DEGREES[name.split("_")[-1]] for name in JOINT_NAMES["smpl24"]])
"""(24,) rad: standard deviations of the closed form's rotations of visible limbs (measured on rendered people)."""
