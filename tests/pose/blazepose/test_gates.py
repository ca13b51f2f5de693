"""Which landmarks are rejected, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remi_stream.body.ik.solver import LIMB_LANDMARKS, body_landmarks, bone_lengths
from remi_stream.body.smpl import load_default_body
from remi_stream.pose.blazepose import Landmarks, rejection_reason, roi_from_points

REST = load_default_body().rest_joints(np.zeros(10))
POINTS = body_landmarks(np.tile(np.eye(3), (24, 1, 1)), REST)
CIRCLE = np.array([[300.0, 300.0], [300.0, 200.0]])
ALL = np.ones(33)
HALF = np.where(np.isin(np.arange(33), LIMB_LANDMARKS[:8]), 0.1, 1.0)
STRETCHED = POINTS * np.where(np.isin(np.arange(33), [13, 15, 25, 27]), 3.0, 1.0)[:, None]


def seen(**more: Any) -> Landmarks:
    values = {"pixels": POINTS[:, :2], "roi_points": CIRCLE, "visibility": ALL, "presence": ALL, "heatmap_peaks": 0.9 * ALL}
    return Landmarks(**{**values, "world": POINTS, "person_presence": 1.0, **more})


@pytest.mark.parametrize(
    ("more", "tracked", "reason"),
    [
        ({}, False, ""),
        ({"person_presence": 0.3}, True, "presence"),
        ({"visibility": HALF}, True, "visibility"),
        ({"heatmap_peaks": 0.4 * ALL}, True, "clarity"),
        ({"heatmap_peaks": 0.6 * ALL}, True, ""),
        ({"heatmap_peaks": 0.6 * ALL}, False, "clarity"),
        ({"heatmap_peaks": np.where(np.isin(np.arange(33), LIMB_LANDMARKS[:6]), 0.9, 0.1)}, False, ""),
        ({"world": STRETCHED}, True, "bones"),
        ({"world": 0.5 * POINTS}, False, ""),
        ({"roi_points": CIRCLE + 200}, True, "region"),
        ({"roi_points": CIRCLE[:1] + 3 * (CIRCLE - CIRCLE[:1])}, True, "region"),
        ({"roi_points": np.full((2, 2), 300.0)}, True, "region"),
    ],
)
def test_implausible_landmarks_are_rejected(more: dict[str, Any], tracked: bool, reason: str) -> None:
    assert rejection_reason(seen(**more), roi_from_points(CIRCLE), bone_lengths(REST), tracked) == reason
