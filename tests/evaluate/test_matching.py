from __future__ import annotations

import numpy as np
import pytest

from remi_stream.evaluate.matching import (
    IdentityTracker,
    assign_people,
    frame_times,
    iou_costs,
    nearest_frame_pairs,
    root_distance_costs,
)
from tests.sample import bodies

INF = np.inf


@pytest.mark.parametrize(
    ("truth", "times", "pairs"),
    [
        ([0, 1, 2], [0, 1, 2], [(0, 0), (1, 1), (2, 2)]),
        ([0, 1, 2], [0.4, 1.4, 2.6], [(0, 0), (1, 1)]),
        ([0, 1, 2, 3], [0, 2], [(0, 0), (2, 1)]),
        ([0, 2], [0, 0.9, 1.1, 2], [(0, 0), (1, 3)]),
        ([0, 1], [5.0], []),
        ([0, 1], [1.0], [(1, 0)]),
        ([], [1.0], []),
        ([0, 1], [], []),
        ([0, 1, 2], [0.5], [(0, 0)]),
    ],
    ids=["same", "shifted", "slower", "faster", "apart", "one", "no truth", "nothing", "between"],
)
def test_frames_are_paired_with_the_nearest_within_half_a_frame_once(
    truth: list[float], times: list[float], pairs: list[tuple[int, int]]
) -> None:
    assert nearest_frame_pairs(np.array(truth, float), np.array(times, float), 0.5) == pairs


@pytest.mark.parametrize(
    ("numbers", "times", "fps", "wanted"),
    [
        ([0, 1, 2, 3], [0, 1 / 29.97, 2 / 29.97, 3 / 29.97], 30.0, [0, 1 / 30, 2 / 30, 3 / 30]),
        ([4, 6, 8], [7.0, 7.2, 7.4], 10.0, [0.4, 0.6, 0.8]),
        ([0, 1, 2], [0, 0.5, 1.0], 30.0, [0, 0.5, 1.0]),
        ([2, 3, 4], [9.0, 9.5, 10.0], 30.0, [1.0, 1.5, 2.0]),
        ([5, 0, 1], [0, 0.1, 0.2], 10.0, [0, 0.1, 0.2]),
        ([5], [0.5], 10.0, [0.5]),
    ],
    ids=[
        "a clock that drifts",
        "a camera's clock",
        "another rate",
        "another rate, later",
        "a camera that started anew",
        "one frame",
    ],
)
def test_frame_times_count_from_the_beginning_of_the_video(
    numbers: list[int], times: list[float], fps: float, wanted: list[float]
) -> None:
    frames = [bodies(frame_id=number, captured_at=time) for number, time in zip(numbers, times)]
    assert np.allclose(frame_times(frames, fps), wanted)


def test_boxes_must_share_enough_and_roots_be_near() -> None:
    boxes = np.array([[0, 0, 10, 10], [100, 0, 110, 10.0]])
    costs = iou_costs(boxes, np.array([[100, 0, 110, 5], [0, 0, 10, 2.0]]))
    assert np.allclose(costs, [[INF, INF], [0.5, INF]])
    roots = np.array([[0, 0, 3], [1, 0, 3], [np.nan] * 3])
    assert np.allclose(root_distance_costs(roots, np.array([[0.7, 0, 3.0]])), [[INF], [0.3], [INF]])
    assert iou_costs(boxes, np.zeros((0, 4))).shape == (2, 0)


@pytest.mark.parametrize(
    ("costs", "kept", "pairs"),
    [
        ([[0.1, 0.2], [0.15, 0.9]], [], [(0, 1), (1, 0)]),
        ([[0.1, INF], [0.2, INF]], [], [(0, 0)]),
        ([[INF, INF]], [], []),
        ([[0.1, 0.2], [0.15, 0.9]], [(0, 0)], [(0, 0), (1, 1)]),
        ([[INF, 0.2]], [(0, 0)], [(0, 1)]),
        ([[0.9, INF, INF], [0.1, 0.9, INF]], [], [(0, 0), (1, 1)]),
    ],
    ids=["cheapest together", "one is left", "nobody", "kept", "cannot be kept", "more matches before cheaper ones"],
)
def test_people_are_assigned(costs: list[list[float]], kept: list[tuple[int, int]], pairs: list[tuple[int, int]]) -> None:
    assert assign_people(np.array(costs), kept) == pairs


def test_empty_costs_assign_no_one() -> None:
    assert assign_people(np.zeros((0, 3))) == []
    assert assign_people(np.zeros((2, 0))) == []


def test_switches_are_counted_and_being_lost_is_none() -> None:
    identities = IdentityTracker()
    for matches in ({1: 10, 2: 20}, {1: 10}, {1: 10, 2: 20}, {1: 20, 2: 10}, {}, {1: 20, 2: 11}):
        identities.update(matches)
    assert identities.switches == {1: 1, 2: 2}


def test_predicted_track_belongs_to_the_person_it_was_matched_to_last() -> None:
    identities = IdentityTracker()
    identities.update({1: 10, 2: 20})
    assert identities.previous_matches([1, 2, 3], [20, 10]) == [(0, 1), (1, 0)]
    identities.update({2: 10})
    assert identities.previous_matches([1, 2], [20, 10]) == [(1, 1)]
