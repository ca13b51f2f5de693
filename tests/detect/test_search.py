"""Search passes: every place is in a grid tile, and what is found in a turned image lies where it is in the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.detect.search import GRID_SIDE, MAX_GRID_TILES, SearchPass, all_search_passes, grid_passes
from remi_stream.tracking.crop import circle_roll_rad

SIDE = st.integers(200, 4000)


def test_all_passes_are_the_tiles_the_grid_and_the_turned_whole() -> None:
    passes = all_search_passes("blazepose", (1280, 720))
    assert [each.quarter_turns for each in passes[-3:]] == [1, 3, 2]
    assert passes[0] == SearchPass((0, 0, 1280, 720))
    assert len(passes) == len(set(passes)) == 4 + len(grid_passes((1280, 720))) + 3
    assert not any(each.quarter_turns for each in all_search_passes("blazepose", (1280, 720), "upright"))


def test_detector_of_the_whole_image_has_one_pass() -> None:
    assert all_search_passes("yolov3", (1280, 720)) == [SearchPass((0, 0, 1280, 720))]


@given(SIDE, SIDE, st.floats(0, 1), st.floats(0, 1))
def test_small_person_anywhere_is_whole_in_a_grid_tile(width: int, height: int, x: float, y: float) -> None:
    squares = np.array([each.rectangle for each in grid_passes((width, height))])
    assert len(squares) <= MAX_GRID_TILES
    if not len(squares):
        return
    side = 0.39 * GRID_SIDE * min(width, height)
    place = np.array([x * (width - side), y * (height - side)])
    assert ((squares[:, :2] <= place + 1e-6) & (squares[:, 2:] >= place + side - 1e-6)).all(1).any()
    assert (squares[:, :2] >= 0).all()
    assert (squares[:, 2:] <= np.array([width, height]) + 1e-6).all()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_detections_in_a_turned_image_lie_where_they_are_in_the_picture(turns: int) -> None:
    image = np.zeros((40, 70, 3), np.uint8)
    image[5:20, 10:16] = 255
    turn = SearchPass((0, 0, 70, 40), turns)
    y, x = np.nonzero(turn.turned(image)[..., 0])
    seen = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
    middle = (seen[0, :2] + seen[0, 2:]) / 2
    upright = np.array([[middle, middle - [0, 30]]], np.float32)
    found = turn.turned_back(ScoredBoxes(seen, np.ones(1, np.float32), upright), (70, 40))
    np.testing.assert_array_equal(found.boxes_xyxy, [[10, 5, 16, 20]])
    # a body upright in the turned image has its head towards the turned image's upper edge
    head = {0: (0, -30), 1: (30, 0), 2: (0, 30), 3: (-30, 0)}[turns]
    assert found.circles_px is not None
    np.testing.assert_array_equal(found.circles_px[0, 0], [13, 12.5])
    np.testing.assert_array_equal(found.circles_px[0, 1] - found.circles_px[0, 0], head)
    assert math.remainder(circle_roll_rad(found.circles_px[0]) - turn.roll_rad, 2 * math.pi) == pytest.approx(0, abs=1e-6)
