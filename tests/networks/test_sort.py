from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity.sort_tracker import SortTracker, group_by_track, iou_matrix, square_boxes

from remi_stream.geometry import iou

LEFT, RIGHT = np.array([50.0, 60, 130, 260]), np.array([400.0, 80, 470, 300])
SPEED = np.array([8.0, 1, 8, 1])


def walk(frames: int, noise: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    """Two people who walk towards each other; detections (2, 5) of each frame."""
    random = np.random.default_rng(seed)
    both = [np.stack([LEFT + k * SPEED, RIGHT - k * SPEED * (1, 0, 1, 0)]) for k in range(frames)]
    return [np.column_stack([boxes + random.normal(0, noise, boxes.shape), [0.9, 0.8]]) for boxes in both]


def track(frames: list[np.ndarray]) -> list[np.ndarray]:
    sort = SortTracker()
    return [sort.update(frame) for frame in frames]


def test_two_people_keep_their_ids_newest_first() -> None:
    tracks = track(walk(15, noise=1.5))
    assert [found[:, 4].tolist() for found in tracks] == [[2, 1]] * 15
    for detections, found in zip(walk(15), tracks):
        assert iou(detections[0, :4], found[1:, :4])[0] > 0.9


def test_track_follows_a_steady_walk_exactly() -> None:
    frames = walk(15)
    for detections, found in list(zip(frames, track(frames)))[5:]:
        np.testing.assert_allclose(found[::-1, :4], detections[:, :4], atol=0.5)


def test_order_of_detections_changes_no_box() -> None:
    frames = walk(10, noise=1.0)
    turned = track([frames[0], *(frame[::-1] for frame in frames[1:])])
    for one, other in zip(track(frames), turned):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_frame_without_detections_ages_no_track() -> None:
    frames = walk(8)
    with_gap = track([*frames[:5], *[frames[0][:0]] * 10, *frames[5:]])
    assert all(len(found) == 0 for found in with_gap[5:15])
    for one, other in zip(track(frames), with_gap[:5] + with_gap[15:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_person_who_misses_one_frame_is_published_again_after_three_detections() -> None:
    frames = walk(12)
    frames[5] = frames[5][:1]
    told = [found[:, 4].tolist() for found in track(frames)]
    assert told == [[2, 1]] * 5 + [[1]] * 3 + [[2, 1]] * 4


def test_person_who_misses_two_frames_gets_a_new_track() -> None:
    frames = walk(12)
    frames[5], frames[6] = frames[5][:1], frames[6][:1]
    told = {number for found in track(frames) for number in found[:, 4].tolist()}
    assert told == {1, 2, 3}


def test_late_comer_is_published_after_three_more_detections() -> None:
    frames = walk(12)
    late = np.array([[200.0, 300, 280, 470, 0.7]])
    frames = [*frames[:5], *(np.concatenate([frame, late]) for frame in frames[5:])]
    assert [len(found) for found in track(frames)] == [2] * 8 + [3] * 4


def test_far_jump_is_no_match() -> None:
    frames = [*walk(6), np.column_stack([LEFT[None] + 500, [0.9]]), *walk(1)]
    assert 3 not in track(frames)[-1][:, 4]
    assert len(track(frames)[6]) == 0


def test_person_who_shrinks_fast_never_has_less_than_no_area() -> None:
    sides = 400 * 0.7 ** np.arange(8)
    frames = [np.array([[300 - side / 2, 300 - side / 2, 300 + side / 2, 300 + side / 2, 0.9]]) for side in sides]
    found = track(frames)
    assert [tracks[:, 4].tolist() for tracks in found] == [[1]] * 8
    assert all(np.isfinite(tracks).all() for tracks in found)


def test_people_have_squares_and_frame_numbers() -> None:
    tracks = track(walk(4))
    found = group_by_track(tracks)
    assert list(found) == [2, 1]
    boxes, numbers = found[1]
    np.testing.assert_array_equal(numbers, [0, 1, 2, 3])
    np.testing.assert_allclose(boxes[0], [90, 160, 200, 200], atol=1e-9)
    np.testing.assert_array_equal(boxes[:, 2], boxes[:, 3])


def test_no_detections_give_no_tracks() -> None:
    assert group_by_track(track([np.zeros((0, 5))] * 3)) == {}


BOX = st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(1, 100), st.floats(1, 100))


@given(BOX, BOX)
def test_overlap_is_a_share_the_same_both_ways(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    a, b = (np.array([[x, y, x + width, y + height]]) for x, y, width, height in (first, second))
    assert iou_matrix(a, a)[0, 0] == pytest.approx(1)
    assert iou_matrix(a, b)[0, 0] == pytest.approx(iou_matrix(b, a)[0, 0])
    assert 0 <= iou_matrix(a, b)[0, 0] <= 1


@given(BOX)
def test_square_has_the_boxs_middle_and_longest_side(box: tuple[float, ...]) -> None:
    x, y, width, height = box
    found = square_boxes(np.array([[x, y, x + width, y + height]]))[0]
    np.testing.assert_allclose(found, [x + width / 2, y + height / 2, *[max(width, height)] * 2], atol=1e-9)
