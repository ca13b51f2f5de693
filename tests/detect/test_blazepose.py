from __future__ import annotations

import numpy as np
import pytest

from remi_stream.detect.blazepose import InputSquare, anchor_centres, body_boxes, crop_square, is_same_person
from remi_stream.detect.detector import load_detector
from remi_stream.detect.nms import weighted_nms
from remi_stream.errors import UsageError
from remi_stream.geometry import iou
from tests.clip import detector, found, frames, poses, truth


def test_person_of_the_clip_is_found_in_every_frame() -> None:
    for k in range(0, len(frames()), 5):
        assert len(found(frames()[k])) == 1, k


def test_box_holds_most_of_the_body() -> None:
    held = []
    for k in range(0, len(frames()), 5):
        box, joints = found(frames()[k])[0], truth()["joints_px"][k]
        held.append(((joints > box[:2]) & (joints < box[2:])).all(1).mean())
    assert np.mean(held) > 0.9


def test_box_overlaps_the_box_of_the_pose_enough_to_match_it() -> None:
    overlaps = [iou(found(frames()[k])[0], poses()[k].next_box_xyxy[None])[0] for k in range(0, len(frames()), 5)]
    assert min(overlaps) > 0.3


def test_no_person_is_found_in_noise_and_in_an_empty_room() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (252, 448, 3), dtype=np.uint8) for _ in range(10)]
    for picture in [*pictures, np.ascontiguousarray(frames()[0][:, :250])]:
        answer = detector().detect(picture)
        assert answer.boxes_xyxy.shape == (0, 4)
        assert answer.scores.shape == (0,)


def test_boxes_stay_in_the_image_and_scores_in_0_to_1() -> None:
    picture = np.ascontiguousarray(frames()[0][:, 300:1000])
    answer = detector().detect(picture)
    assert len(answer.boxes_xyxy) == 1
    assert answer.boxes_xyxy.dtype == answer.scores.dtype == np.float32
    assert (answer.boxes_xyxy >= 0).all()
    assert (answer.boxes_xyxy <= [700, 720, 700, 720]).all()
    assert 0.5 <= answer.scores[0] <= 1


def test_there_is_an_anchor_for_each_answer_of_the_network() -> None:
    assert anchor_centres().shape == (2254, 2)
    np.testing.assert_allclose(anchor_centres()[[0, -1]], [[0.5 / 28, 0.5 / 28], [6.5 / 7, 6.5 / 7]])


def test_candidates_for_one_person_become_one_weighted_by_score() -> None:
    near = np.array([[0, 0, 1, 1, *[0.5] * 8, 0.9], [0.1, 0, 1.1, 1, *[0.8] * 8, 0.6], [3, 3, 4, 4, *[3.5] * 8, 0.7]])
    people = weighted_nms(near, near[:, 12], is_same_person, averaged=12)
    np.testing.assert_allclose(people[:, 12], [0.9, 0.7], rtol=1e-6)
    np.testing.assert_allclose(people[0, :2], [0.1 * 0.6 / 1.5, 0], atol=1e-6)
    np.testing.assert_allclose(people[0, 4:12], (0.5 * 0.9 + 0.8 * 0.6) / 1.5, rtol=1e-6)


def test_box_of_a_body_lies_along_its_axis() -> None:
    standing, lying = body_boxes(np.array([[100, 100], [100, 100.0]]), np.array([[100, 0], [200, 100.0]]))
    np.testing.assert_allclose(standing, [55, 8, 145, 202])
    np.testing.assert_allclose(lying, [-2, 55, 192, 145])


def test_square_is_black_outside_the_image() -> None:
    image = np.full((100, 200, 3), (10, 20, 30), np.uint8)
    square = crop_square(image, InputSquare(0, -50, 200))
    np.testing.assert_array_equal(square[112, 112], [30, 20, 10])
    np.testing.assert_array_equal(square[10, 112], [0, 0, 0])


def test_unknown_detector_is_reported_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"Unknown detector 'blazeposs'. Did you mean 'blazepose'\?"):
        load_detector("blazeposs")
