"""Tracker of a video: the live tracker with a detection of every frame; its whole state is saved between chunks.

People are carried by their poses through frames in which the detector misses them. The detections of a frame are matched with the
poses of the frame before, so that a new person gets a pose in the frame of the first detection.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

import numpy as np

from remi_stream.detect.detector import Rectangle, ScoredBoxes
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Detections, Frame, MessageCodec, Person
from remi_stream.tracking.crop import Crop, Pose
from remi_stream.tracking.plain_values import NotSerialisable, from_plain, to_plain
from remi_stream.tracking.re_identification import Identity, LostTracks
from remi_stream.tracking.tracker import SubjectSelector, Track, Tracker

SAVED_CLASSES = {kind.__name__: kind for kind in (Identity, LostTracks, SubjectSelector, Track)}
"""Classes whose objects are saved with all their attributes."""
UNSAVED = ("occlusion_mask", "_ids", "_probe")
"""Attributes that are made anew in each frame, and the count of ids, which is saved by itself."""


class TrackIds:
    """Counts track ids from 1."""

    def __init__(self) -> None:
        self.next_id = 1

    def __iter__(self) -> TrackIds:
        return self

    def __next__(self) -> int:
        self.next_id += 1
        return self.next_id - 1


class VideoTracker:
    """Tracks the people of a video in frame order. max_people: None for no limit."""

    def __init__(self, max_people: int | None = None) -> None:
        self.max_people = max_people
        self._ids = TrackIds()
        self._tracker = Tracker(sys.maxsize if max_people is None else max_people, self._ids)
        self._last_frame_id = -1

    def crops(self, frame: Frame, found: ScoredBoxes, searched: list[Rectangle]) -> list[Crop]:
        """Update with a frame's detections; return the crops of all tracks in it.

        searched: the parts of the image in which everyone was searched for, so that a miss counts; three in a row end a track.
        """
        self._tracker.update_detections(
            Detections(
                camera=frame.camera,
                epoch=frame.epoch,
                frame_id=self._last_frame_id,
                captured_at=frame.captured_at,
                boxes_xyxy=found.boxes_xyxy,
                scores=found.scores,
                searched_xyxy=np.array(searched, np.float32).reshape(-1, 4),
                circles_px=found.circles_px,
            )
        )
        return self._tracker.crops(frame.frame_id, frame.captured_at, frame.image, _intrinsics(frame))

    def update_poses(self, frame: Frame, poses: list[Pose]) -> list[Pose]:
        """Update with the poses of the crops; return those to publish, with their track ids."""
        self._last_frame_id = frame.frame_id
        return self._tracker.update_poses(frame.frame_id, frame.captured_at, frame.image, poses)

    def to_state(self) -> list[Any]:
        """Serialise to plain values: the next track id, the last frame, and the tracks."""
        writer = _ObjectWriter()
        return [self._ids.next_id, self._last_frame_id, writer.write_attributes(self._tracker), writer.objects]

    def restore_state(self, state: list[Any]) -> None:
        """Restore the tracker from a state."""
        self._ids.next_id, self._last_frame_id, attributes, objects = state
        _ObjectReader(objects).read_attributes(attributes, self._tracker)


def _intrinsics(frame: Frame) -> Intrinsics:
    assert frame.intrinsics
    return frame.intrinsics


class _ObjectWriter:
    """Writes objects of SAVED_CLASSES, each once, and what they refer to."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        """Class and attributes of each object."""
        self._numbers: dict[int, int] = {}
        self._people = MessageCodec(Person)

    def write(self, value: Any) -> list[Any]:
        """Write a value; what cannot be serialised becomes None."""
        if isinstance(value, Person):
            return ["person", [bytes(part) for part in self._people.encode(value)]]
        if type(value).__name__ in SAVED_CLASSES:
            return ["object", self._number(value)]
        if isinstance(value, dict):
            return ["dict", [[self.write(key), self.write(each)] for key, each in value.items()]]
        if type(value) in (list, deque):
            return [type(value).__name__, [self.write(each) for each in value]]
        try:
            return ["plain", to_plain(value)]
        except NotSerialisable:
            return ["plain", None]

    def _number(self, value: Any) -> int:
        """Number of an object in `objects`, which is written at its first mention."""
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.objects)
            self.objects.append(None)  # its place: its own attributes may refer to it
            self.objects[self._numbers[id(value)]] = [type(value).__name__, self.write_attributes(value)]
        return self._numbers[id(value)]

    def write_attributes(self, value: Any) -> dict[str, Any]:
        """Write the attributes of an object."""
        return {name: self.write(each) for name, each in vars(value).items() if name not in UNSAVED}


class _ObjectReader:
    """Reads what `_ObjectWriter` wrote."""

    def __init__(self, objects: list[Any]) -> None:
        self._people = MessageCodec(Person)
        self._objects = [SAVED_CLASSES[name].__new__(SAVED_CLASSES[name]) for name, _ in objects]
        for made, (_, attributes) in zip(self._objects, objects):
            self.read_attributes(attributes, made)
            if isinstance(made, Track):
                made.occlusion_mask = None

    def read_attributes(self, written: dict[str, Any], value: Any) -> None:
        """Read the attributes of an object into it."""
        vars(value).update({name: self.read(each) for name, each in written.items()})

    def read(self, written: list[Any]) -> Any:
        """Read a value."""
        kind, content = written
        if kind == "person":
            return self._people.decode(content)
        if kind == "object":
            return self._objects[content]
        if kind == "dict":
            return {self.read(key): self.read(each) for key, each in content}
        if kind in ("list", "deque"):
            values = [self.read(each) for each in content]
            return deque(values) if kind == "deque" else values
        try:
            return from_plain(content)
        except NotSerialisable:
            return None
