"""Tracks start, are confirmed, are corrected, occluded, re-identified, and end."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from remi_stream.geometry import iou
from remi_stream.messages import Detections, Person
from remi_stream.tracking.crop import Crop, Pose
from remi_stream.tracking.re_identification import MAX_LOST_S
from remi_stream.tracking.tracker import MAX_MISSES, STABLE_S, Tracker

IMAGE = np.full((1000, 1000, 3), 90, np.uint8)
WHOLE = np.array([[0, 0, 1000, 1000]], np.float32)
BOX = np.array([100, 100, 200, 400], np.float32)


def tracks(max_people: int = 3) -> Tracker:
    return Tracker(max_people, itertools.count(1))


def detections(frame_id: int, *boxes: np.ndarray, searched: np.ndarray = WHOLE) -> Detections:
    found = np.array(boxes, np.float32).reshape(-1, 4)
    place = {"camera": "a", "epoch": 1, "frame_id": frame_id, "captured_at": frame_id / 30}
    return Detections(**place, boxes_xyxy=found, scores=np.ones(len(found), np.float32), searched_xyxy=searched)


def pose(box: np.ndarray, depth_m: float = 3.0) -> Pose:
    person = Person(
        track_id=1,
        score=1.0,
        box_xyxy=box,
        skeleton="point",
        keypoints_px=np.array([box[:2], box[2:], (box[:2] + box[2:]) / 2], np.float32),
        keypoint_scores=np.ones(3, np.float32),
        joints_m=np.array([[0, 0, depth_m]], np.float32),
    )
    return Pose(person, box)


def follow(people: Tracker, first: int, count: int, step: float = 0.0) -> list[int]:
    for frame_id in range(first, first + count):
        poses = [pose(track.box_xyxy + np.float32(step)) for track in people]
        found = people.update_poses(frame_id, frame_id / 30, IMAGE, poses)
    return [one.person.track_id for one in found if one.person]


def test_detection_starts_a_track_with_a_new_id() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX, BOX + [500, 0, 500, 0]))
    assert follow(people, 1, 1) == [1, 2]


def test_no_more_tracks_than_wanted() -> None:
    people = tracks(max_people=1)
    people.update_detections(detections(0, BOX, BOX + [500, 0, 500, 0]))
    assert len(people) == 1


def test_late_detection_is_matched_to_where_the_track_was_in_its_frame() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 30, step=10.0)
    people.update_detections(detections(2, BOX + np.float32(20)))
    assert len(people) == 1


def test_detection_pulls_a_drifted_track_back_a_little() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 3)
    people.update_detections(detections(2, BOX + np.float32(10)))
    (track,) = people
    assert 0 < track.box_xyxy[0] - BOX[0] < 10


def test_track_ends_after_three_searches_that_missed_it() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 5)
    for frame_id in range(1, MAX_MISSES + 1):
        assert len(people) == 1
        people.update_detections(detections(frame_id, searched=np.array([[0, 0, 800, 800]], np.float32)))
    assert len(people) == 0


def test_search_of_another_region_is_no_evidence_of_absence() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 10)
    for frame_id in range(1, 9):
        people.update_detections(detections(frame_id, searched=np.array([[500, 0, 1000, 1000]], np.float32)))
    assert len(people) == 1


def test_track_ends_after_three_poses_in_a_row_that_failed() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    for frame_id in range(MAX_MISSES):
        assert len(people) == 1
        people.update_poses(frame_id, frame_id / 30, IMAGE, [Pose(None, BOX, rejection_reason="bones")])
    assert len(people) == 0


def test_one_failed_pose_keeps_the_track_and_its_id() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 5)
    assert people.update_poses(6, 0.2, IMAGE, [Pose(None, BOX)]) == []
    assert follow(people, 7, 1) == [1]


def test_detector_may_rest_when_every_track_is_sure() -> None:
    people = tracks()
    assert not people.is_stable
    people.update_detections(detections(0, BOX))
    follow(people, 1, 30)
    assert not people.is_stable
    follow(people, 31, 1)
    assert STABLE_S == 1.0
    assert people.is_stable
    people.update_poses(32, 32 / 30, IMAGE, [Pose(None, BOX)])
    assert not people.is_stable


def test_detection_of_a_part_of_a_tracked_body_starts_no_track() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 3)
    people.update_detections(detections(3, BOX, np.array([110, 110, 180, 230], np.float32)))
    assert len(people) == 1


def test_small_body_is_not_missed_by_a_search_of_a_large_region() -> None:
    people = tracks()
    small = np.array([100, 100, 150, 250], np.float32)
    people.update_detections(detections(0, small))
    follow(people, 1, 10)
    for frame_id in range(1, 9):
        people.update_detections(detections(frame_id))
    assert len(people) == 1


def fail(people: Tracker, first: int) -> None:
    for frame_id in range(first, first + MAX_MISSES):
        people.update_poses(frame_id, frame_id / 30, IMAGE, [Pose(None, track.box_xyxy) for track in people])


def test_person_who_returns_within_a_second_keeps_the_id() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 20)
    fail(people, 21)
    assert len(people) == 0
    people.update_detections(detections(48, BOX + np.float32(30)))
    assert follow(people, 50, 1) == [1]


def test_person_who_returns_much_later_gets_a_new_id() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 20)
    fail(people, 21)
    late = 25 + int(30 * MAX_LOST_S)
    people.update_detections(detections(late, BOX))
    people.update_detections(detections(late + 1, BOX))
    assert follow(people, late + 2, 1) == [2]


def test_person_elsewhere_gets_a_new_id() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 20)
    fail(people, 21)
    people.update_detections(detections(30, BOX + [700, 400, 700, 400]))
    assert follow(people, 31, 1) == [2]


def test_two_tracks_of_one_body_become_one() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX, BOX + [150, 0, 150, 0]))
    follow(people, 1, 10)
    people.update_poses(11, 11 / 30, IMAGE, [pose(BOX), pose(BOX + np.float32(3))])
    assert len(people) == 1
    assert not people.is_stable


class Walkers:
    """Two people in coloured shirts who cross; whoever is nearer covers the other. Detections come every third frame."""

    def __init__(self, shirts: tuple[tuple[int, int, int], tuple[int, int, int]], speed: float, nearer: int) -> None:
        self.shirts, self.speed, self.nearer = shirts, speed, nearer
        self.people = tracks(max_people=4)
        self.ids: list[dict[int, int]] = []

    def box(self, who: int, frame: int) -> np.ndarray:
        x = 100 + self.speed * frame if who == 0 else 800 - self.speed * frame
        return np.array([x, 300, x + 100, 700], np.float32)

    def image(self, frame: int) -> np.ndarray:
        picture = IMAGE.copy()
        for who in (1 - self.nearer, self.nearer):
            x0, y0, x1, y1 = self.box(who, frame).astype(int)
            picture[y0:y1, x0:x1] = self.shirts[who]
        return picture

    def visible(self, frame: int) -> list[int]:
        covers = iou(self.box(0, frame), self.box(1, frame)[None])[0] > 0.35
        return [self.nearer] if covers else [0, 1]

    def run(self, frames: int) -> dict[int, set[int]]:
        """Return the ids that each walker had while both were visible."""
        ids: dict[int, set[int]] = {0: set(), 1: set()}
        for frame in range(frames):
            visible = self.visible(frame)
            boxes = {who: self.box(who, frame) for who in visible}
            poses, shown = [], []
            for track in self.people:
                who = min(boxes, key=lambda w: float(np.abs(boxes[w] - track.box_xyxy).sum()))
                poses.append(pose(boxes[who]))
                shown.append(who)
            found = self.people.update_poses(frame, frame / 30, self.image(frame), poses)
            for one in found:
                who = min(boxes, key=lambda w: float(np.abs(boxes[w] - one.person.box_xyxy).sum()))  # type: ignore[union-attr]
                if len(visible) == 2 and len(found) == 2:
                    ids[who].add(one.person.track_id)  # type: ignore[union-attr]
            if frame % 3 == 0:
                self.people.update_detections(detections(frame, *boxes.values()))
        return ids


@pytest.mark.parametrize("nearer", [0, 1])
@pytest.mark.parametrize("speed", [3.0, 6.0, 9.0])
@pytest.mark.parametrize("shirts", [((200, 40, 40), (40, 40, 200)), ((90, 160, 60), (90, 160, 60))])
def test_two_people_who_cross_keep_their_ids(
    shirts: tuple[tuple[int, int, int], tuple[int, int, int]], speed: float, nearer: int
) -> None:
    ids = Walkers(shirts, speed, nearer).run(int(650 / speed))
    assert len(ids[0]) == len(ids[1]) == 1
    assert ids[0] != ids[1]


INTRINSICS = (1000.0, 1000.0, 500.0, 500.0)


def crops(people: Tracker, frame_id: int) -> list[Crop]:
    return people.crops(frame_id, frame_id / 30, IMAGE, INTRINSICS)


def test_person_in_front_is_masked_for_the_one_behind() -> None:
    people = tracks()
    behind = BOX + np.float32(40)
    people.update_detections(detections(0, BOX, behind))
    for frame_id in range(1, 4):
        people.update_poses(frame_id, frame_id / 30, IMAGE, [pose(BOX, 2.0), pose(behind, 4.0)])
    first, second = crops(people, 4)
    assert first.image is IMAGE
    assert second.image is not IMAGE


def test_pose_that_lies_under_a_nearer_person_is_only_a_guess() -> None:
    people = tracks()
    behind = BOX + np.float32([60, 0, 60, 0])
    people.update_detections(detections(0, BOX, behind))
    for frame_id in range(1, 8):
        people.update_poses(frame_id, frame_id / 30, IMAGE, [pose(BOX, 2.0), pose(behind, 4.0)])
    crops(people, 8)
    (_, track) = people
    assert track.occlusion_mask is not None
    track.occlusion_mask[:] = 255
    found = people.update_poses(8, 8 / 30, IMAGE, [pose(BOX, 2.0), pose(behind, 4.0)])
    assert [one.person.track_id for one in found if one.person] == [1]


def test_lost_person_is_searched_for_without_a_detection() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    follow(people, 1, 20)
    fail(people, 21)
    ids = []
    for frame_id in range(24, 34):
        looks = crops(people, frame_id)
        found = people.update_poses(frame_id, frame_id / 30, IMAGE, [pose(crop.box_xyxy) for crop in looks])
        ids += [one.person.track_id for one in found if one.person]
    assert ids
    assert set(ids) == {1}


def test_search_for_a_lost_person_starts_no_track_of_another() -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    red = IMAGE.copy()
    red[:] = (0, 0, 255)
    for frame_id in range(1, 20):
        people.update_poses(frame_id, frame_id / 30, red, [pose(BOX)])
    fail(people, 21)
    for frame_id in range(24, 34):
        looks = crops(people, frame_id)
        assert people.update_poses(frame_id, frame_id / 30, IMAGE, [pose(crop.box_xyxy) for crop in looks]) == []


def test_search_that_finds_a_neighbour_is_no_evidence_of_absence() -> None:
    people = tracks()
    beside = BOX + np.float32([110, 0, 110, 0])
    people.update_detections(detections(0, BOX, beside))
    follow(people, 1, 10)
    for frame_id in range(1, 9):
        people.update_detections(detections(frame_id, beside))
    assert len(people) == 2


NEAR = np.array([500, 50, 800, 950], np.float32)


def crowd(people: Tracker, first: int, count: int, near_depth_m: float = 2.0) -> set[int]:
    """A near person beside the one at BOX, both found by every search; returns the ids of the last frame."""
    ids: set[int] = set()
    for frame_id in range(first, first + count):
        looks = crops(people, frame_id)
        poses = [pose(NEAR, near_depth_m) if crop.box_xyxy[0] > 400 else pose(BOX, 4.0) for crop in looks]
        found = people.update_poses(frame_id, frame_id / 30, IMAGE, poses)
        ids = {int(one.person.box_xyxy[0]) for one in found if one.person}
        if frame_id % 3 == 0:
            people.update_detections(detections(frame_id, BOX, NEAR))
    return ids


@pytest.mark.parametrize("subject", ["largest", "nearest"])
def test_nearer_person_takes_the_only_place(subject: str) -> None:
    people = Tracker(1, itertools.count(1), subject)
    people.update_detections(detections(0, BOX))
    follow(people, 1, 10)
    assert crowd(people, 11, 30) == {500}
    assert crowd(people, 41, 90) == {500}


def test_person_of_about_the_same_rank_replaces_no_track() -> None:
    people = Tracker(1, itertools.count(1), "nearest")
    people.update_detections(detections(0, BOX))
    follow(people, 1, 10)
    for _ in range(3):
        assert crowd(people, 11, 30, near_depth_m=3.6) == {100}


def test_large_newcomer_before_a_small_tracked_person_is_no_part_of_it() -> None:
    people = tracks()
    small = np.array([400, 300, 480, 540], np.float32)
    people.update_detections(detections(0, small))
    follow(people, 1, 5)
    people.update_detections(detections(5, small, np.array([350, 100, 650, 950], np.float32)))
    assert len(people) == 2


@pytest.mark.parametrize(("fps", "kept"), [(30, 2), (60, 4), (10, 2)])
def test_rejected_poses_end_a_track_by_time_and_number(fps: int, kept: int) -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    for frame_id in range(20):
        people.update_poses(frame_id, frame_id / fps, IMAGE, [pose(BOX)])
    count = 0
    while len(people):
        count += 1
        people.update_poses(20 + count, (20 + count) / fps, IMAGE, [Pose(None, BOX, rejection_reason="bones")])
    assert count == kept + 1


UPRIGHT = np.array([[150, 250], [150, 100]], np.float32)
LYING = np.array([[150, 250], [300, 250]], np.float32)


@pytest.mark.parametrize(
    ("circle", "searched_roll_rad", "is_kept"), [(UPRIGHT, 0.0, False), (LYING, 0.0, True), (LYING, 1.57, False)]
)
def test_only_a_search_for_bodies_that_lie_alike_is_evidence_of_absence(
    circle: np.ndarray, searched_roll_rad: float, is_kept: bool
) -> None:
    people = tracks()
    people.update_detections(detections(0, BOX))
    for frame_id in range(1, 6):
        people.update_poses(frame_id, frame_id / 30, IMAGE, [pose(BOX)._replace(circle_px=circle)])
    for frame_id in range(1, MAX_MISSES + 1):
        found = detections(frame_id, searched=np.array([[0, 0, 800, 800]], np.float32))
        people.update_detections(msgspec.structs.replace(found, searched_roll_rad=searched_roll_rad))
    assert bool(len(people)) == is_kept


def test_circle_of_a_detection_goes_to_the_engine_until_there_is_a_pose_with_one() -> None:
    people = tracks()
    people.update_detections(msgspec.structs.replace(detections(0, BOX), circles_px=LYING[None]))
    (crop,) = crops(people, 1)
    np.testing.assert_array_equal(crop.circle_px, LYING)
    people.update_poses(1, 1 / 30, IMAGE, [pose(BOX)._replace(circle_px=UPRIGHT)])
    (crop,) = crops(people, 2)
    np.testing.assert_array_equal(crop.circle_px, UPRIGHT)
    people.update_detections(msgspec.structs.replace(detections(1, BOX), circles_px=LYING[None]))
    (crop,) = crops(people, 2)
    np.testing.assert_array_equal(crop.circle_px, UPRIGHT)
    people.update_poses(2, 2 / 30, IMAGE, [Pose(None, BOX)])
    people.update_detections(msgspec.structs.replace(detections(2, BOX), circles_px=LYING[None]))
    (crop,) = crops(people, 3)
    np.testing.assert_array_equal(crop.circle_px, LYING)


def test_circle_of_a_person_who_may_take_a_place_goes_to_the_engine() -> None:
    people, larger = tracks(max_people=1), np.array([500, 100, 700, 700], np.float32)
    people.update_detections(detections(0, BOX))
    people.update_poses(1, 1 / 30, IMAGE, [pose(BOX) for _ in crops(people, 1)])
    people.update_detections(msgspec.structs.replace(detections(1, BOX, larger), circles_px=np.stack([UPRIGHT, LYING])))
    *_, candidate = crops(people, 2)
    np.testing.assert_array_equal(candidate.circle_px, LYING)


def test_person_who_left_is_searched_for_at_the_image_border() -> None:
    people = tracks()
    leaving = np.array([20, 300, 120, 700], np.float32)
    people.update_detections(detections(0, leaving))
    for frame_id in range(1, 16):
        people.update_poses(frame_id, frame_id / 30, IMAGE, [pose(leaving - np.float32([10 * frame_id, 0, 10 * frame_id, 0]))])
    fail(people, 16)
    searched = [crop.box_xyxy for frame_id in range(20, 40) for crop in crops(people, frame_id)]
    assert searched
    for box in searched:
        np.testing.assert_allclose(box, [-50, 300, 50, 700], atol=1)
