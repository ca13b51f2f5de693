"""Detect stage: runs the person detector as often as the pose stage requests, off the critical path."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from remi_stream.config import Posture
from remi_stream.detect.detector import Detector, detector_tiles, load_detector
from remi_stream.detect.search import SearchPass, live_search_passes
from remi_stream.messages import DetectionInterval, Detections, Frame
from remi_stream.stage import StageSpec
from remi_stream.transport.mailbox import FrameRequest

DEFAULT_INTERVAL_S = 0.1
"""Interval between detections of a new camera, s, until the pose stage sets another."""


class DetectStage:
    """Runs a detector, one search pass per step in rotation. posture: of the people searched for. clock: monotonic s."""

    def __init__(self, detector_name: str, posture: Posture = "any", clock: Callable[[], float] = time.monotonic) -> None:
        self.facts = {"detector": detector_name}
        self.counts: Counter[str] = Counter()
        self._name, self._posture = detector_name, posture
        self._clock = clock
        self._interval_s: dict[str, float] = {}
        self._detected_at: dict[str, float] = {}
        self._searches: dict[str, CameraSearch] = {}

    def open(self) -> None:
        """Load the detector."""
        self._detector: Detector = load_detector(self._name)

    def request(self, camera: str) -> FrameRequest:
        """Request what the next search pass needs, in the detector's size, for when the next detection is due."""
        interval = self._interval_s.get(camera, DEFAULT_INTERVAL_S)
        search = self._searches.get(camera)
        view = msgspec.structs.replace(self._detector.view, rectangle=search.next_pass.rectangle if search else None)
        return FrameRequest(view, self._detected_at.get(camera, float("-inf")) + interval)

    def step(self, message: Frame | DetectionInterval) -> Iterable[Detections]:
        """Detect people in a frame, or set a camera's detection interval."""
        if isinstance(message, DetectionInterval):
            self._interval_s[message.camera] = message.interval_s
            return []
        self._detected_at[message.camera] = self._clock()
        chosen = self._take_pass(message)
        height, width = message.image.shape[:2]
        found = chosen.turned_back(self._detector.detect(chosen.turned(message.image)), (width, height))
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
                searched_roll_rad=chosen.roll_rad,
                circles_px=None if found.circles_px is None else points_in_full_image(found.circles_px, message),
            )
        ]

    def _take_pass(self, frame: Frame) -> SearchPass:
        """Return the pass that a frame was requested for, and choose the next; start over if the image size has changed."""
        search = self._searches.get(frame.camera)
        if search is None or search.size != frame.size:
            search = self._searches[frame.camera] = CameraSearch(self._name, frame.size, self._posture)
        taken = search.take()
        x0, y0, x1, y1 = np.abs(np.subtract(taken.rectangle, frame.rectangle))
        # a frame that was requested before the size changed
        return taken if max(x0, y0, x1, y1) <= 1 else SearchPass(frame.rectangle)

    def close(self) -> None:
        """Do nothing: the process ends with the stage."""


class CameraSearch:
    """Rotation of the search passes over the images of one camera."""

    def __init__(self, detector_name: str, size: tuple[int, int], posture: Posture) -> None:
        self.size = size
        """(width, height) px of the camera's images."""
        # the whole image first, which a camera's first request, made without its size, gives too; then once all usual tiles
        first = map(SearchPass, detector_tiles(detector_name, size))
        self._passes = itertools.chain(first, itertools.cycle(live_search_passes(detector_name, size, posture)))
        self.next_pass = next(self._passes)
        """The pass that is requested."""

    def take(self) -> SearchPass:
        """Return the next pass, and go on to the one after it."""
        taken, self.next_pass = self.next_pass, next(self._passes)
        return taken


def boxes_in_full_image(boxes_xyxy: np.ndarray, frame: Frame) -> np.ndarray:
    """Map boxes (N, 4) px of a frame's view to float32 px of the full image."""
    return points_in_full_image(boxes_xyxy.reshape(-1, 2, 2), frame).reshape(-1, 4)


def points_in_full_image(points: np.ndarray, frame: Frame) -> np.ndarray:
    """Map points (..., 2) px of a frame's view to float32 px of the full image."""
    x0, y0, x1, y1 = frame.rectangle
    height, width = frame.image.shape[:2]
    return (points * [(x1 - x0) / width, (y1 - y0) / height] + [x0, y0]).astype(np.float32)


def make_detect_stage(spec: StageSpec) -> DetectStage:
    """Make the detect stage of a StageSpec."""
    return DetectStage(spec.config.detector, spec.config.posture)
