"""Detect stage: runs the person detector as often as the pose stage requests, off the critical path."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np

from remi_stream.detect.detector import Detector, Rectangle, detector_tiles, load_detector
from remi_stream.messages import DetectionInterval, Detections, Frame
from remi_stream.stage import StageSpec
from remi_stream.transport.mailbox import FrameRequest

DEFAULT_INTERVAL_S = 0.1
"""Interval between detections of a new camera, s, until the pose stage sets another."""


class DetectStage:
    """Runs a detector, one tile per step in round robin. clock: monotonic s."""

    def __init__(self, detector_name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.facts = {"detector": detector_name}
        self.counts: Counter[str] = Counter()
        self._name = detector_name
        self._clock = clock
        self._interval_s: dict[str, float] = {}
        self._detected_at: dict[str, float] = {}
        self._tiles: dict[str, Iterator[Rectangle]] = {}
        self._next_tile: dict[str, Rectangle] = {}

    def open(self) -> None:
        """Load the detector."""
        self._detector: Detector = load_detector(self._name)

    def request(self, camera: str) -> FrameRequest:
        """Request the next tile, in the detector's size, for when the next detection is due."""
        interval = self._interval_s.get(camera, DEFAULT_INTERVAL_S)
        view = msgspec.structs.replace(self._detector.view, rectangle=self._next_tile.get(camera))
        return FrameRequest(view, self._detected_at.get(camera, float("-inf")) + interval)

    def step(self, message: Frame | DetectionInterval) -> Iterable[Detections]:
        """Detect people in a frame, or set a camera's detection interval."""
        if isinstance(message, DetectionInterval):
            self._interval_s[message.camera] = message.interval_s
            return []
        self._detected_at[message.camera] = self._clock()
        self._choose_next_tile(message.camera, message.size)
        found = self._detector.detect(message.image)
        return [
            Detections(
                camera=message.camera,
                epoch=message.epoch,
                frame_id=message.frame_id,
                captured_at=message.captured_at,
                stamps=message.stamps,
                boxes_xyxy=boxes_in_full_image(found.boxes_xyxy, message),
                scores=found.scores,
                searched_xyxy=np.array([message.rectangle], np.float32),
            )
        ]

    def _choose_next_tile(self, camera: str, size: tuple[int, int]) -> None:
        """Choose the next tile; start over if the camera's image size has changed."""
        tiles = detector_tiles(self._name, size)
        if camera not in self._tiles or self._next_tile[camera] not in tiles:
            # the whole image comes last: a camera's first request has no rectangle, so it is done already
            self._tiles[camera] = itertools.cycle(tiles[1:] + tiles[:1])
        self._next_tile[camera] = next(self._tiles[camera])

    def close(self) -> None:
        """Do nothing: the process ends with the stage."""


def boxes_in_full_image(boxes_xyxy: np.ndarray, frame: Frame) -> np.ndarray:
    """Map boxes (N, 4) px of a frame's view to float32 px of the full image."""
    x0, y0, x1, y1 = frame.rectangle
    height, width = frame.image.shape[:2]
    scale = np.array([(x1 - x0) / width, (y1 - y0) / height] * 2)
    return (boxes_xyxy.reshape(-1, 4) * scale + [x0, y0, x0, y0]).astype(np.float32)


def make_detect_stage(spec: StageSpec) -> DetectStage:
    """Make the detect stage of a StageSpec."""
    return DetectStage(spec.config.detector)
