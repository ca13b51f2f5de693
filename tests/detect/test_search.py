"""Search passes: every place is in a grid tile, and what is found in a turned image lies where it is in the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.preprocess import render_view
from remi_stream.detect.detector import DETECTORS, ScoredBoxes
from remi_stream.detect.search import (
    GRID_SIDE,
    LIVE_GRID_STEP,
    MAX_GRID_TILES,
    SearchPass,
    all_search_passes,
    grid_passes,
    live_search_passes,
)
from remi_stream.detect.stage import DetectStage
from remi_stream.messages import Frame, FrameView
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


def test_live_search_has_the_whole_image_first_and_every_third_time() -> None:
    whole = SearchPass((0, 0, 1280, 720))
    order = live_search_passes("blazepose", (1280, 720))
    assert [index for index, each in enumerate(order) if each == whole] == list(range(0, len(order), 3))
    rare = set(grid_passes((1280, 720), LIVE_GRID_STEP)) | {
        each for each in all_search_passes("blazepose", (1280, 720)) if each.quarter_turns
    }
    assert rare < set(order)
    assert len(order) <= 40  # 4 s at ten passes a second
    assert not any(each.quarter_turns for each in live_search_passes("blazepose", (1280, 720), "upright"))


@pytest.mark.parametrize("size", [(640, 640), (640, 480), (16384, 8), (720, 1280)])
def test_live_search_of_any_image_begins_with_the_whole(size: tuple[int, int]) -> None:
    for posture in ("any", "upright"):
        assert live_search_passes("blazepose", size, posture)[0] == SearchPass((0, 0, *size))  # type: ignore[arg-type]


class Patch:
    """A detector that finds the white patch, whatever its size, with a circle whose point is above it."""

    name = "patch"
    view = FrameView()

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        y, x = np.nonzero(image[..., 0] > 128)
        if not len(x):
            return ScoredBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 2, 2), np.float32))
        box = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
        middle = (box[0, :2] + box[0, 2:]) / 2
        return ScoredBoxes(box, np.ones(1, np.float32), np.array([[middle, middle - [0, 10]]], np.float32))


def open_patch(threads: int) -> Patch:
    return Patch()


def test_detect_stage_reports_what_it_finds_in_every_pass_in_px_of_the_full_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "patch", DETECTORS["blazepose"]._replace(factory="tests.detect.test_search:open_patch"))
    image = np.zeros((240, 400, 3), np.uint8)
    image[110:125, 190:200] = 255
    stage = DetectStage("patch")
    stage.open()
    frame = Frame(camera="a", epoch=1, frame_id=0, captured_at=0.0, image=image, size=(400, 240), rectangle=(0, 0, 400, 240))
    searched = set()
    for _ in range(60):
        view = stage.request("a").view
        assert view is not None
        (found,) = stage.step(render_view(frame, view))
        assert found.circles_px is not None
        for box, circle in zip(found.boxes_xyxy, found.circles_px):
            np.testing.assert_allclose(np.clip(box, [190, 110, 190, 110], [200, 125, 200, 125]), box)
            assert math.remainder(circle_roll_rad(circle) - found.searched_roll_rad, 2 * math.pi) == pytest.approx(0, abs=1e-5)
        searched.add((len(found.boxes_xyxy), round(math.degrees(found.searched_roll_rad))))
    assert {(1, 0), (1, 90), (1, -90)} <= searched
    assert {abs(roll) for _, roll in searched} == {0, 90, 180}


def test_frame_that_was_requested_before_the_size_changed_is_not_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "patch", DETECTORS["blazepose"]._replace(factory="tests.detect.test_search:open_patch"))
    stage = DetectStage("patch")
    stage.open()
    frame = Frame(
        camera="a",
        epoch=1,
        frame_id=0,
        captured_at=0.0,
        image=np.zeros((50, 80, 3), np.uint8),
        size=(400, 240),
        rectangle=(0, 0, 80, 50),
    )
    for _ in range(60):
        (found,) = stage.step(frame)
        assert found.searched_roll_rad == 0
