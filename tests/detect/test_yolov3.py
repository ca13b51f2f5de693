"""YOLO's NMS and conventions, with a fake network (draws.py)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.detect.detector import DETECTORS, detector_entry
from remi_stream.detect.stage import DetectStage
from remi_stream.detect.yolov3 import (
    PERSON_CLASS,
    YoloConvention,
    Yolov3Detector,
    alphapose_convention,
    alphapose_nms,
    candidates_from_rows,
    iou_with_borders,
    tracker_convention,
    tracker_nms,
)
from remi_stream.geometry import iou
from remi_stream.messages import Frame
from remi_stream.models.manifest import find_manifest
from tests.detect.draws import DOG, Draws, row, scene

WAYS = [tracker_convention(0.8, 0.7), alphapose_convention(0.1)]
THINNINGS = [lambda found: tracker_nms(found, 0.4), lambda found: alphapose_nms(found, 0.6)]


def crowd(seed: int = 0, people: int = 6, copies: int = 4, empty: int = 200) -> np.ndarray:
    """Rows (N, 85): people far from each other, each found several times, and rows without people."""
    random = np.random.default_rng(seed)
    places = [np.array([60 * k + 10, 40, 60 * k + 50, 200]) for k in range(people)]
    found = [row(place + random.normal(0, 1, 4), random.uniform(0.85, 1)) for place in places for _ in range(copies)]
    nothing = [row((5, 5, 30, 60), random.uniform(0, 0.05)) for _ in range(empty)]
    return random.permutation(np.array([*found, *nothing]))


@pytest.mark.parametrize("thin", THINNINGS)
def test_each_person_is_left_once(thin: Callable[[np.ndarray], np.ndarray]) -> None:
    found = thin(candidates_from_rows(crowd(), 0.5))
    assert sorted(np.round((found[:, 0] - 10) / 60).astype(int).tolist()) == list(range(6))


@pytest.mark.parametrize("thin", THINNINGS)
@given(seed=st.integers(0, 1000))
def test_order_of_the_rows_changes_nothing(thin: Callable[[np.ndarray], np.ndarray], seed: int) -> None:
    rows = crowd()
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))]
    np.testing.assert_allclose(thin(candidates_from_rows(rows, 0.5)), thin(candidates_from_rows(shuffled, 0.5)), atol=1e-4)


@pytest.mark.parametrize("thin", THINNINGS)
def test_what_is_left_is_not_thinned_again(thin: Callable[[np.ndarray], np.ndarray]) -> None:
    once = thin(candidates_from_rows(crowd(), 0.5))
    np.testing.assert_allclose(thin(once), once, atol=1e-5)


@pytest.mark.parametrize("thin", THINNINGS)
def test_nothing_stays_nothing(thin: Callable[[np.ndarray], np.ndarray]) -> None:
    assert thin(candidates_from_rows(crowd(), 1.0)).shape == (0, 7)


def test_row_becomes_corners_objectness_and_best_class() -> None:
    rows = np.stack([row((10, 20, 30, 60), 0.9, 0.8, DOG), row((1, 2, 3, 4), 0.4)])
    np.testing.assert_allclose(candidates_from_rows(rows, 0.5), [[10, 20, 30, 60, 0.9, 0.8, DOG]], rtol=1e-6)


def test_trackers_box_is_the_mean_weighted_by_objectness() -> None:
    rows = np.stack([row((10, 10, 50, 100), 0.9, 0.9), row((14, 10, 54, 104), 0.6, 0.9)])
    (found,) = tracker_nms(candidates_from_rows(rows, 0.5), 0.4)
    np.testing.assert_allclose(
        found[:4], (0.9 * np.array([10, 10, 50, 100]) + 0.6 * np.array([14, 10, 54, 104])) / 1.5, rtol=1e-5
    )
    np.testing.assert_allclose(found[4:], [0.9, 0.9, 0], rtol=1e-6)


def test_tracker_ranks_by_objectness_times_class_and_alphapose_by_objectness() -> None:
    rows = np.stack([row((10, 10, 50, 100), 0.9, 0.6), row((11, 10, 51, 100), 0.8, 0.9)])
    assert tracker_nms(candidates_from_rows(rows, 0.5), 0.4)[0, 4] == pytest.approx(0.8)
    assert alphapose_nms(candidates_from_rows(rows, 0.5), 0.6)[0, 4] == pytest.approx(0.9)


def test_tracker_merges_only_within_a_class() -> None:
    rows = np.stack([row((10, 10, 50, 100), 0.9), row((11, 10, 51, 100), 0.8, 0.9, DOG)])
    assert len(tracker_nms(candidates_from_rows(rows, 0.5), 0.4)) == 2


def test_more_than_a_hundred_boxes_are_thinned_harder() -> None:
    boxes = [(float(k * 4), 10.0, float(k * 4 + 20), 90.0) for k in range(120)]  # neighbours share 0.67, the next ones 0.43
    rows = np.stack([row(box, 0.99 - 0.002 * k) for k, box in enumerate(boxes)])
    assert len(alphapose_nms(candidates_from_rows(rows[:90], 0.1), 0.7)) == 90
    assert 30 < len(alphapose_nms(candidates_from_rows(rows, 0.1), 0.7)) <= 100


BOX = st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(1, 100), st.floats(1, 100))


@given(BOX, BOX)
def test_overlap_counts_borders(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    a, b = (np.array([x, y, x + width, y + height]) for x, y, width, height in (first, second))
    grown = [box + np.array([0, 0, 1, 1]) for box in (a, b)]
    np.testing.assert_allclose(iou_with_borders(a, b[None]), iou(grown[0], grown[1][None]), atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(640, 480), (720, 1280), (416, 234), (500, 500)])
def test_people_are_found_where_they_are(way: YoloConvention, size: tuple[int, int]) -> None:
    image, boxes = scene(size)
    network = Draws()
    found = Yolov3Detector("yolov3", network, way, 416).detect(image)
    assert network.shown == [(1, 416, 416, 3)]
    assert (found.boxes_xyxy.dtype, found.scores.dtype) == (np.float32, np.float32)
    order = np.argsort(found.boxes_xyxy[:, 0])
    np.testing.assert_allclose(found.boxes_xyxy[order], boxes, atol=2.5 * max(size) / 416)
    assert ((found.scores > 0.85) & (found.scores <= 1)).all()


@pytest.mark.parametrize(
    ("way", "told", "score"),
    [
        (WAYS[0], (0.9, 0.9, PERSON_CLASS), 0.81),
        (WAYS[0], (0.79, 0.99, PERSON_CLASS), None),
        (WAYS[0], (0.82, 0.84, PERSON_CLASS), None),
        (WAYS[0], (0.9, 0.9, DOG), None),
        (WAYS[1], (0.9, 0.9, PERSON_CLASS), 0.9),
        (WAYS[1], (0.11, 0.3, PERSON_CLASS), 0.11),
        (WAYS[1], (0.09, 0.99, PERSON_CLASS), None),
        (WAYS[1], (0.9, 0.9, DOG), None),
    ],
)
def test_thresholds_are_those_of_the_published_programs(
    way: YoloConvention, told: tuple[float, float, int], score: float | None
) -> None:
    found = Yolov3Detector("yolov3", Draws(*told), way, 416).detect(scene()[0])
    np.testing.assert_allclose(found.scores, [] if score is None else [score] * 2, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_no_person_is_found_in_an_empty_image(way: YoloConvention) -> None:
    found = Yolov3Detector("yolov3", Draws(), way, 416).detect(np.full((480, 640, 3), 60, np.uint8))
    assert (found.boxes_xyxy.shape, found.scores.shape) == ((0, 4), (0,))


@pytest.mark.parametrize("way", WAYS)
def test_boxes_stay_in_the_image(way: YoloConvention) -> None:
    class Beyond(Draws):
        def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"rows": np.array([[row((-40, 30, 500, 390), 0.9)]])[0][None]}

    found = Yolov3Detector("yolov3", Beyond(), way, 416).detect(np.zeros((480, 640, 3), np.uint8))
    np.testing.assert_allclose(found.boxes_xyxy, [[0, 0, 640, 480]], atol=1e-3)


def test_frames_are_sent_in_the_size_of_the_network() -> None:
    assert Yolov3Detector("yolov3", Draws(), WAYS[0], 416).view.longest_side == 416


@pytest.mark.parametrize(("name", "convention"), [("yolov3", tracker_convention), ("yolov3-spp", alphapose_convention)])
def test_manifest_has_the_published_thresholds(name: str, convention: Callable[..., YoloConvention]) -> None:
    manifest = find_manifest(name, "detector")
    assert manifest.options == ({"least_objectness": 0.8, "least_score": 0.7} if name == "yolov3" else {"least_objectness": 0.1})
    assert isinstance(convention(**manifest.options), YoloConvention)
    assert detector_entry(name).model_files == tuple(file.name for file in manifest.weights)


def test_detector_gets_the_whole_image_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "drawn", DETECTORS["yolov3"]._replace(factory="tests.detect.draws:open_drawn"))
    image, boxes = scene((416, 234))
    stage = DetectStage("drawn")
    stage.open()
    for frame_id in range(4):
        view = stage.request("front").view
        assert view.rectangle in (None, (0.0, 0.0, 1280.0, 720.0))
        frame = Frame(
            camera="front",
            epoch=1,
            frame_id=frame_id,
            captured_at=0.0,
            image=image,
            size=(1280, 720),
            rectangle=(0, 0, 1280, 720),
        )
        (found,) = stage.step(frame)
        order = np.argsort(found.boxes_xyxy[:, 0])
        np.testing.assert_allclose(found.boxes_xyxy[order], boxes * 1280 / 416, atol=8)
        np.testing.assert_array_equal(found.searched_xyxy, [[0, 0, 1280, 720]])
