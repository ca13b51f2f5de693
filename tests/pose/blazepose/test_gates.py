"""Which landmarks are rejected, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remi_stream.body.ik.solver import LIMB_LANDMARKS, body_landmarks, bone_lengths
from remi_stream.body.smpl import load_default_body
from remi_stream.errors import UsageError
from remi_stream.pose.blazepose import chosen_sensitivity
from remi_stream.pose.gates import GATES, disagreement, mean_heatmap_peak, rejection_reason
from remi_stream.pose.landmarks import Landmarks, roi_from_points

REST = load_default_body().rest_joints(np.zeros(10))
POINTS = body_landmarks(np.tile(np.eye(3), (24, 1, 1)), REST)
CIRCLE = np.array([[300.0, 300.0], [300.0, 200.0]])
ALL = np.ones(33)
HALF = np.where(np.isin(np.arange(33), LIMB_LANDMARKS[:9]), 0.1, 1.0)
STRETCHED = POINTS * np.where(np.isin(np.arange(33), [13, 15, 25, 27]), 6.0, 1.0)[:, None]


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
        ({"heatmap_peaks": 0.55 * ALL}, True, ""),
        ({"heatmap_peaks": 0.55 * ALL}, False, "clarity"),
        ({"heatmap_peaks": np.where(np.isin(np.arange(33), LIMB_LANDMARKS[:6]), 0.9, 0.1)}, False, ""),
        ({"world": STRETCHED}, True, "bones"),
        ({"world": 0.5 * POINTS}, False, ""),
        ({"roi_points": CIRCLE + 200}, True, "region"),
        ({"roi_points": CIRCLE[:1] + 3 * (CIRCLE - CIRCLE[:1])}, True, "region"),
        ({"roi_points": np.full((2, 2), 300.0)}, True, "region"),
    ],
)
def test_implausible_landmarks_are_rejected(more: dict[str, Any], tracked: bool, reason: str) -> None:
    thresholds = GATES["normal"].tracked if tracked else GATES["normal"].new
    assert rejection_reason(seen(**more), roi_from_points(CIRCLE), bone_lengths(REST), thresholds) == reason


def test_sensitivities_are_in_order() -> None:
    low, normal, high = (GATES[name] for name in ("low", "normal", "high"))
    for strict, loose in ((low, normal), (normal, high)):
        for one, other in ((strict.new, loose.new), (strict.tracked, loose.tracked), (loose.new, loose.tracked)):
            assert one.min_peak >= other.min_peak
            assert one.max_bone_error <= other.max_bone_error
            assert one.min_visible_joints >= other.min_visible_joints
        assert strict.max_disagreement < loose.max_disagreement


UPPER_BODY = np.where(np.isin(np.arange(33), LIMB_LANDMARKS[:6]), 1.0, 0.0)


def test_hidden_legs_of_a_waist_up_view_count_neither_for_clarity_nor_for_steadiness() -> None:
    peaks = np.where(UPPER_BODY > 0, 0.8, 0.1)
    moved = np.where(UPPER_BODY[:, None] > 0, POINTS[:, :2], POINTS[:, :2] + 1.0)
    first, second = seen(visibility=UPPER_BODY), seen(visibility=UPPER_BODY, heatmap_peaks=peaks, pixels=moved)
    assert mean_heatmap_peak(second) == pytest.approx(0.8)
    assert disagreement(first, second, roi_from_points(CIRCLE)) == 0


def test_limbs_that_show_elsewhere_in_the_next_crop_disagree() -> None:
    roi = roi_from_points(CIRCLE)
    assert disagreement(seen(), seen(pixels=POINTS[:, :2] + [0.1 * roi.size, 0]), roi) == pytest.approx(0.1)


def test_landmarks_without_a_visible_limb_disagree() -> None:
    assert disagreement(seen(), seen(visibility=0 * ALL), roi_from_points(CIRCLE)) == float("inf")


@pytest.mark.parametrize("index", [-1, 0.5, 3])
def test_option_that_is_no_sensitivity_is_reported(index: float) -> None:
    with pytest.raises(UsageError, match=r"sensitivity is 0 \(low\), 1 \(normal\), 2 \(high\); got"):
        chosen_sensitivity(index)
