"""People are followed where the detector misses them: onwards, and back in time from where they were found."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from remi_stream.detect.detector import ScoredBoxes, SyntheticDetector
from remi_stream.geometry import default_intrinsics
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.offline import backfill as backfill_module
from remi_stream.offline.backfill import Backfill, PosedFrame
from remi_stream.offline.chain import OfflineChain
from remi_stream.offline.detection import FULL_SEARCH_FRAMES
from remi_stream.tracking.crop import Crop, Pose
from tests.offline.seer import Counting

SIZE = (64, 48)
KEYPOINT = np.zeros((1, 2), np.float32)


class Sparing(SyntheticDetector):
    """Finds the person only in some frames; a frame's images have its number as their colour."""

    def __init__(self, finds: Callable[[int], bool]) -> None:
        self._finds = finds

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        return super().detect(image if self._finds(int(image[0, 0, 0])) else image[:1, :1])


class Seeing(Counting):
    """Rejects the person in some frames."""

    def __init__(self, sees: Callable[[int], bool]) -> None:
        super().__init__()
        self._sees = sees

    def infer(self, crops: list[Crop]) -> list[Pose]:
        poses = super().infer(crops)
        return [
            pose if self._sees(int(crop.image[0, 0, 0])) else Pose(None, crop.box_xyxy, None, "unseen")
            for crop, pose in zip(crops, poses)
        ]


def frame(number: int) -> Frame:
    return Frame(
        camera="clip",
        epoch=1,
        frame_id=number,
        captured_at=number / 30,
        image=np.full((SIZE[1], SIZE[0], 3), number, np.uint8),
        size=SIZE,
        rectangle=(0.0, 0.0, *map(float, SIZE)),
        intrinsics=default_intrinsics(*SIZE),
    )


def run(count: int, finds: Callable[[int], bool], sees: Callable[[int], bool] = lambda number: True) -> list[Bodies]:
    chain = OfflineChain(Seeing(sees), [Sparing(finds)], 1, 1)
    try:
        return list(chain.run(map(frame, range(count)), chain.make_tracker(None, independent=False), independent=False))
    finally:
        chain.close()


def box(number: int) -> np.ndarray:
    """Boxes of the two halves of the image."""
    return np.array([30 * (number - 1), 0, 30 * number, 48], np.float32)


def ids(bodies: list[Bodies]) -> list[list[int]]:
    return [[person.track_id for person in each.people] for each in bodies]


def test_person_whom_the_detector_misses_is_carried_by_their_poses() -> None:
    bodies = run(40, finds=lambda number: number % 10 in (0, 1))
    assert [each.frame_id for each in bodies] == list(range(40))
    assert ids(bodies) == [[1]] * 40
    assert ["detected_score" in each.people[0].native for each in bodies[:12]] == [True] * 2 + [False] * 8 + [True] * 2


def test_track_ends_when_the_detector_finds_no_one_for_a_while() -> None:
    ended = 3 * FULL_SEARCH_FRAMES
    assert ids(run(60, finds=lambda number: number < 5)) == [[1]] * ended + [[]] * (60 - ended)


def test_person_who_is_found_late_is_followed_back_as_far_as_the_engine_sees_them() -> None:
    bodies = run(30, finds=lambda number: number >= 12, sees=lambda number: number >= 5)
    assert [each.frame_id for each in bodies] == list(range(30))
    assert ids(bodies) == [[]] * 5 + [[1]] * 25


def test_frame_with_as_many_people_as_allowed_gets_no_more() -> None:
    backfill = Backfill(Seeing(lambda number: True), max_people=1)
    first, second = (
        Person(
            track_id=number,
            score=1.0,
            box_xyxy=box(number),
            skeleton="point",
            keypoints_px=KEYPOINT,
            keypoint_scores=np.ones(1, np.float32),
            joints_m=np.zeros((0, 3), np.float32),
        )
        for number in (1, 2)
    )
    done = list(backfill.add(PosedFrame(frame(0), [Pose(first, first.box_xyxy)])))
    done += backfill.add(PosedFrame(frame(1), [Pose(second, second.box_xyxy)]))
    done += backfill.rest()
    assert [sorted(each.track_ids) for each in done] == [[1], [2]]


def test_image_larger_than_all_that_is_kept_is_given_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "MAX_KEPT_BYTES", 1)
    assert ids(run(5, finds=lambda number: number >= 2)) == [[]] * 2 + [[1]] * 3


def test_rejected_pose_in_between_is_not_made_up() -> None:
    assert ids(run(20, finds=lambda number: True, sees=lambda number: number != 9)) == [[1]] * 9 + [[]] + [[1]] * 10


@pytest.mark.parametrize("at", [7, 13, 26])
def test_tracks_go_on_in_the_next_chunk_as_if_there_had_been_none(at: int) -> None:
    def finds(number: int) -> bool:
        return number % 11 in (0, 1, 2)

    chain = OfflineChain(Seeing(lambda number: number not in (20, 21, 22, 23)), [Sparing(finds)], 1, 1)
    try:
        first, second = (chain.make_tracker(None, independent=False) for _ in range(2))
        frames = [frame(number) for number in range(40)]
        before = list(chain.run(frames[:at], first, independent=False))
        second.restore_state(msgspec.msgpack.decode(msgspec.msgpack.encode(first.to_state())))
        assert second.to_state() == first.to_state()
        after, again = (list(chain.run(frames[at:], tracker, independent=False)) for tracker in (first, second))
    finally:
        chain.close()
    assert ids(before)[:at] == [[1]] * min(at, 20) + [[]] * max(0, min(at, 24) - 20) + [[1]] * max(0, at - 24)
    assert ids(after) == ids(again)
    assert [each.people[0].score for each in after if each.people] == [each.people[0].score for each in again if each.people]
