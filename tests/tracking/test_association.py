"""Association of boxes, and when a missing detection is conclusive."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import intersection_over_smaller
from remi_stream.tracking.tracker import is_miss_conclusive, match_boxes

BOX = np.array([100, 100, 200, 400], np.float32)
WHOLE = np.array([[0, 0, 700, 700]], np.float32)


def moved(x: float) -> np.ndarray:
    return BOX + np.float32([x, 0, x, 0])


def test_boxes_that_overlap_most_are_paired_first() -> None:
    tracked = {"first": moved(30), "second": moved(0)}
    assert match_boxes(tracked, np.array([moved(5), moved(35)])) == {"second": 0, "first": 1}


def test_one_detection_belongs_to_one_track() -> None:
    assert match_boxes({"first": moved(0), "second": moved(10)}, np.array([moved(2)])) == {"first": 0}


def test_boxes_far_apart_are_no_pair() -> None:
    assert match_boxes({"first": moved(0)}, np.array([moved(90)])) == {}
    assert match_boxes({"first": moved(0)}, np.zeros((0, 4))) == {}


def test_share_of_the_smaller_box() -> None:
    assert np.allclose(intersection_over_smaller(np.array([0, 0, 2, 2]), np.array([[0, 0, 1, 1], [1, 1, 5, 5]])), [1, 0.25])


def test_empty_place_in_a_searched_region_is_evident() -> None:
    assert is_miss_conclusive(BOX, WHOLE, [])
    assert not is_miss_conclusive(BOX, WHOLE + 1000, [])


def test_small_body_in_a_large_region_may_be_missed() -> None:
    assert not is_miss_conclusive(BOX, WHOLE * 3, [])


def test_body_beside_another_one_may_be_missed() -> None:
    assert not is_miss_conclusive(BOX, WHOLE, [moved(110)])
    assert is_miss_conclusive(BOX, WHOLE, [moved(400)])
