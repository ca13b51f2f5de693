"""The offline tracker, and its state between two chunks."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from remi_stream.capture.footage import make_frame
from remi_stream.detect.detector import ScoredBoxes
from remi_stream.messages import Person
from remi_stream.offline.chain import DetectedFrame, accepted_people
from remi_stream.offline.detection import merge_tile_detections
from remi_stream.prefetch import prefetch
from remi_stream.tracking.crop import Pose
from remi_stream.tracking.offline import OfflineTrack, OfflineTracker
from remi_stream.tracking.plain_values import NotSerialisable, from_plain, plain_round_trip, to_plain

SIZE = (1280, 720)
RED, BLUE = (0, 0, 200), (200, 0, 0)


def picture(*people: tuple[float, tuple[int, int, int]]) -> tuple[np.ndarray, ScoredBoxes]:
    """People of a colour at some x, and their boxes, in the order in which they are given."""
    image = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    boxes = [[x - 60, 200, x + 60, 600] for x, _ in people]
    for (_, colour), box in zip(people, boxes):
        image[box[1] : box[3], max(0, int(box[0])) : int(box[2])] = colour
    return image, ScoredBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32))


def ids(following: OfflineTracker, frame: int, *people: tuple[float, tuple[int, int, int]]) -> list[int]:
    """The ids of the people of a frame, in the order of their boxes."""
    image, found = picture(*people)
    met = {index: following.assign_track_id(who) for who, index in following.assign(image, found, frame / 30)}
    return [met.get(index, 0) for index in range(len(people))]


def test_ids_stay_with_people_whatever_the_order_of_the_boxes() -> None:
    following = OfflineTracker()
    assert ids(following, 0, (300, RED), (900, BLUE)) == [1, 2]
    for frame in range(1, 10):
        assert ids(following, frame, (900 - 5 * frame, BLUE), (300 + 5 * frame, RED)) == [2, 1]


def test_people_who_cross_keep_their_ids_through_an_occlusion() -> None:
    following, hidden_for = OfflineTracker(), 0
    for frame in range(60):
        red, blue = (300 + 12 * frame, RED), (1000 - 12 * frame, BLUE)
        hidden = abs(red[0] - blue[0]) < 90
        hidden_for += hidden
        assert ids(following, frame, *([red] if hidden else [red, blue])) == ([1] if hidden else [1, 2])
    assert 5 < hidden_for < 30


def test_another_person_who_comes_later_gets_a_new_id() -> None:
    following = OfflineTracker()
    assert ids(following, 0, (300, RED)) == [1]
    assert ids(following, 30, (310, BLUE)) == [2]
    assert ids(following, 31, (450, RED), (310, BLUE)) == [1, 2]
    assert ids(following, 200, (300, RED)) == [3]


def test_no_more_people_than_wanted_are_followed_and_they_are_the_same() -> None:
    following = OfflineTracker(1)
    assert ids(following, 0, (300, RED)) == [1]
    assert ids(following, 1, (900, BLUE), (300, RED)) == [0, 1]


def test_body_that_was_detected_twice_is_there_once_and_keeps_its_id() -> None:
    following, published = OfflineTracker(), []
    for frame in range(9):
        image, once = picture((300, RED))
        beside = once.boxes_xyxy + np.array([[10, 0, 30, 0]], np.float32)
        boxes = {0: [once.boxes_xyxy], 8: [beside]}.get(frame, [once.boxes_xyxy, beside])
        found = ScoredBoxes(np.concatenate(boxes), np.ones(len(boxes), np.float32))
        seen = DetectedFrame(
            make_frame("film", frame, frame / 30, image, None), found, following.assign(image, found, frame / 30), []
        )
        published.append([person.track_id for person in accepted_people(seen, [pose() for _ in seen.people], following)])
    assert published == [[1]] * 9


def test_body_of_two_detections_goes_to_the_person_whom_it_is_like_not_to_the_older_one() -> None:
    following = OfflineTracker()
    for frame in range(5):
        image, boxes = picture((300, RED), (330 + 570, BLUE))
        seen = following.assign(image, boxes, frame / 30)
        published(following, frame, image, boxes, seen, [pose(300), pose(900)])
    # both detections lead the engine to the blue one, the younger
    image, boxes = picture((870, BLUE), (900, BLUE))
    boxes = boxes._replace(boxes_xyxy=np.array([[300, 200, 420, 600], [840, 200, 960, 600]], np.float32))
    seen = following.assign(image, boxes, 5 / 30)
    assert [person.track_id for person in published(following, 5, image, boxes, seen, [pose(900), pose(900)])] == [2]
    image, boxes = picture((300, RED), (900, BLUE))
    assert [track.track_id for track, _ in following.assign(image, boxes, 6 / 30)] == [1, 2]


def published(
    following: OfflineTracker,
    frame: int,
    image: np.ndarray,
    boxes: ScoredBoxes,
    people: list[tuple[OfflineTrack, int]],
    poses: list[Pose],
) -> list[Person]:
    """The people of a frame; poses: in the order of the boxes."""
    seen = DetectedFrame(make_frame("film", frame, frame / 30, image, None), boxes, people, [])
    return accepted_people(seen, [poses[index] for _, index in people], following)


def pose(x: float = 300) -> Pose:
    """A pose of the same body at any place."""
    box = np.array([x - 60, 200, x + 60, 600], np.float32)
    points = np.array([[x, 400]], np.float32)
    nowhere = np.zeros((0, 3), np.float32)
    person = Person(
        track_id=0,
        score=1.0,
        box_xyxy=box,
        skeleton="point",
        keypoints_px=points,
        keypoint_scores=np.ones(1, np.float32),
        joints_m=nowhere,
    )
    return Pose(person, box)


def test_state_goes_on_as_if_nothing_had_happened() -> None:
    first, second = OfflineTracker(), OfflineTracker()
    for frame in range(8):
        ids(first, frame, (300 + 9 * frame, RED), (900, BLUE))
    second.restore_state(msgspec.msgpack.decode(msgspec.msgpack.encode(first.to_state())))
    frames = [[(400 + 9 * frame, RED), (880, BLUE), (600, (0, 200, 0))] for frame in range(8)]
    for frame, people in enumerate(frames, 8):
        assert ids(first, frame, *people) == ids(second, frame, *people)
    assert first.to_state() == second.to_state()


class Deep(NamedTuple):
    inner: object
    number: float


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        0.1,
        "x",
        True,
        np.float32(0.1),
        np.arange(6.0).reshape(2, 3),
        (1, [2.5, None]),
        Deep(Deep(np.ones(2), 0.1), 1e-300),
    ],
)
def test_state_is_the_same_after_serialisation(value: object) -> None:
    again = from_plain(msgspec.msgpack.decode(msgspec.msgpack.encode(to_plain(value))))
    assert type(again) is type(value)
    assert repr(again) == repr(value)


def test_state_that_cannot_be_serialised_is_dropped() -> None:
    assert plain_round_trip(Deep({1, 2}, 1.0)) is None
    with pytest.raises(NotSerialisable):
        from_plain(["named", "os", "system", ["true"]])
    with pytest.raises(NotSerialisable):
        from_plain(["named", "os", "stat_result", [0] * 10])


def found(*boxes: tuple[float, float, float, float]) -> ScoredBoxes:
    return ScoredBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.linspace(0.9, 0.5, len(boxes)).astype(np.float32))


WHOLE, LEFT, RIGHT = (0.0, 0.0, 1280.0, 720.0), (0.0, 0.0, 720.0, 720.0), (560.0, 0.0, 1280.0, 720.0)


def test_person_in_several_tiles_is_kept_once_and_uncut() -> None:
    body, far = (600.0, 100.0, 800.0, 700.0), (620.0, 300.0, 650.0, 400.0)
    seen = [(WHOLE, found(body)), (LEFT, found((600, 110, 719.5, 690))), (RIGHT, found((598, 104, 803, 703)))]
    assert merge_tile_detections(seen, SIZE).boxes_xyxy.tolist() == [list(body)]
    seen = [(WHOLE, found()), (LEFT, found((600, 110, 719.5, 690), far)), (RIGHT, found((598, 104, 803, 703)))]
    assert merge_tile_detections(seen, SIZE).boxes_xyxy.tolist()[0] == [598, 104, 803, 703]


def test_people_that_one_tile_separates_are_both_kept() -> None:
    pair = ((500.0, 100.0, 700.0, 700.0), (520.0, 120.0, 690.0, 680.0))
    assert len(merge_tile_detections([(WHOLE, found(*pair)), (LEFT, found(*pair))], SIZE).boxes_xyxy) == 2


def test_what_is_read_ahead_comes_in_order_with_its_error_and_the_reader_ends() -> None:
    def source() -> object:
        yield from range(5)
        raise ValueError("five")

    given: list[int] = []
    with pytest.raises(ValueError, match="five"):
        given.extend(prefetch(source(), 2))  # type: ignore[arg-type]
    assert list(prefetch(range(100), 3)) == list(range(100))
    endless = prefetch(iter(int, 1), 2)
    assert next(endless) == 0
    endless.close()
