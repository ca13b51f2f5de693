"""The detect stage: looks for people as often as pose wants it, off the critical path."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np

from remi_stream.detect.detector import Detector, find_detector, load_detector
from remi_stream.detect.looks import Rectangle, looks
from remi_stream.mailbox import Request
from remi_stream.messages import Detections, Frame, Search
from remi_stream.order import Order

SEARCH_S = 0.1


class DetectStage:
    """Runs a detector; a new camera is searched ten times a second until pose says otherwise. clock: monotonic seconds."""

    def __init__(self, detector_name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.facts = {"detector": detector_name}
        self._name = detector_name
        self._clock = clock
        self._interval_s: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}
        self._rounds: dict[str, Iterator[Rectangle]] = {}
        self._next: dict[str, Rectangle] = {}

    def open(self) -> None:
        """Load the detector."""
        self._parts = find_detector(self._name).parts
        self._detector: Detector = load_detector(self._name)

    def request(self, camera: str) -> Request:
        """The next part of the picture in the detector's size, when the next look is due."""
        interval = self._interval_s.get(camera, SEARCH_S)
        view = msgspec.structs.replace(self._detector.view, rectangle=self._next.get(camera))
        return Request(view, self._looked_at.get(camera, float("-inf")) + interval)

    def step(self, message: Frame | Search) -> Iterable[Detections]:
        """Find people in a frame, or take note of how often to look."""
        if isinstance(message, Search):
            self._interval_s[message.camera] = message.interval_s
            return []
        self._looked_at[message.camera] = self._clock()
        self._look_on(message.camera, message.size)
        found = self._detector.find(message.image)
        return [
            Detections(
                camera=message.camera,
                epoch=message.epoch,
                frame_id=message.frame_id,
                captured_at=message.captured_at,
                stamps=message.stamps,
                boxes_xyxy=boxes_in_full(found.boxes_xyxy, message),
                scores=found.scores,
                searched_xyxy=np.array([message.rectangle], np.float32),
            )
        ]

    def _look_on(self, camera: str, size: tuple[int, int]) -> None:
        """Choose the next part to look at; a camera whose pictures change their size begins anew."""
        parts = looks(size) if self._parts else looks(size)[:1]
        if camera not in self._rounds or self._next[camera] not in parts:
            self._rounds[camera] = itertools.cycle(parts[1:] + parts[:1])
        self._next[camera] = next(self._rounds[camera])

    def close(self) -> None:
        """Nothing to let go of."""


def boxes_in_full(boxes_xyxy: np.ndarray, frame: Frame) -> np.ndarray:
    """Give boxes (N, 4) px of a view as float32 px of the full picture."""
    x0, y0, x1, y1 = frame.rectangle
    height, width = frame.image.shape[:2]
    scale = np.array([(x1 - x0) / width, (y1 - y0) / height] * 2)
    return (boxes_xyxy.reshape(-1, 4) * scale + [x0, y0, x0, y0]).astype(np.float32)


def make(order: Order) -> DetectStage:
    """Make the stage for an order."""
    return DetectStage(order.config.detector)
