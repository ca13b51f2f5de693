"""Who is who: tracks start, are confirmed, drift back, and end."""

from __future__ import annotations

import itertools

import numpy as np

from remi_stream.messages import Detections, Person
from remi_stream.pose.engine import Pose
from remi_stream.pose.tracks import MISSES, SURE_POSES, Tracks, overlap

WHOLE = np.array([[0, 0, 1000, 1000]], np.float32)
BOX = np.array([100, 100, 200, 400], np.float32)


def tracks(max_people: int = 3) -> Tracks:
    return Tracks(max_people, itertools.count(1))


def detections(frame_id: int, *boxes: np.ndarray, searched: np.ndarray = WHOLE) -> Detections:
    found = np.array(boxes, np.float32).reshape(-1, 4)
    place = {"camera": "a", "epoch": 1, "frame_id": frame_id, "captured_at": frame_id / 30}
    return Detections(**place, boxes_xyxy=found, scores=np.ones(len(found), np.float32), searched_xyxy=searched)


def pose(box: np.ndarray) -> Pose:
    person = Person(
        track_id=1,
        score=1.0,
        box_xyxy=box,
        skeleton="point",
        keypoints_px=np.zeros((1, 2), np.float32),
        keypoint_scores=np.ones(1, np.float32),
        joints_m=np.zeros((1, 3), np.float32),
    )
    return Pose(person, box)


def follow(people: Tracks, first: int, count: int, step: float = 0.0) -> None:
    for frame_id in range(first, first + count):
        people.posed(frame_id, frame_id / 30, [pose(track.box_xyxy + np.float32(step)) for track in people])


def test_detection_starts_a_track_with_a_new_id() -> None:
    people = tracks()
    people.detected(detections(0, BOX, BOX + [500, 0, 500, 0]))
    assert [track.track_id for track in people] == [1, 2]


def test_no_more_tracks_than_wanted() -> None:
    people = tracks(max_people=1)
    people.detected(detections(0, BOX, BOX + [500, 0, 500, 0]))
    assert len(people) == 1


def test_late_detection_is_matched_to_where_the_track_was_in_its_frame() -> None:
    people = tracks()
    people.detected(detections(0, BOX))
    follow(people, 1, 30, step=10.0)
    people.detected(detections(2, BOX + np.float32(20)))
    assert len(people) == 1


def test_detection_pulls_a_drifted_track_back_a_little() -> None:
    people = tracks()
    people.detected(detections(0, BOX))
    follow(people, 1, 3)
    people.detected(detections(2, BOX + np.float32(10)))
    (track,) = people
    assert 0 < track.box_xyxy[0] - BOX[0] < 10


def test_track_ends_after_three_searches_that_missed_it() -> None:
    people = tracks()
    people.detected(detections(0, BOX))
    follow(people, 1, 5)
    for frame_id in range(1, MISSES + 1):
        assert len(people) == 1
        people.detected(detections(frame_id))
    assert len(people) == 0


def test_search_of_another_region_is_no_evidence_of_absence() -> None:
    people = tracks()
    people.detected(detections(0, BOX))
    follow(people, 1, 10)
    for frame_id in range(1, 9):
        people.detected(detections(frame_id, searched=np.array([[500, 0, 1000, 1000]], np.float32)))
    assert len(people) == 1


def test_track_ends_after_three_poses_in_a_row_that_failed() -> None:
    people = tracks()
    people.detected(detections(0, BOX))
    for frame_id in range(MISSES):
        assert len(people) == 1
        people.posed(frame_id, frame_id / 30, [Pose(None, BOX, reason="bones")])
    assert len(people) == 0


def test_one_failed_pose_keeps_the_track_and_its_id() -> None:
    people = tracks()
    people.detected(detections(0, BOX))
    follow(people, 1, 5)
    people.posed(6, 0.2, [Pose(None, BOX)])
    follow(people, 7, 1)
    assert [track.track_id for track in people] == [1]


def test_detector_may_rest_when_every_track_is_sure() -> None:
    people = tracks()
    assert not people.settled
    people.detected(detections(0, BOX))
    follow(people, 1, SURE_POSES)
    assert people.settled
    people.posed(9, 0.3, [Pose(None, BOX)])
    assert not people.settled


def test_overlap_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    assert np.allclose(overlap(boxes[0], boxes), [1, 1 / 3, 0])
