"""The live pipeline on a simulated clock: the stages themselves, without processes and sockets, as fast as the machine allows.

Each frame reaches the pose stage when it is captured, unless the stage is still busy with an earlier one: then it is dropped, as
live. The detector gets frames when the stage wants them, and its detections arrive as much later as it takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from remi_stream.capture.preprocess import render_view
from remi_stream.config import Config, parse_config
from remi_stream.detect.stage import DetectStage
from remi_stream.messages import Bodies, DetectionInterval, Detections, Frame
from remi_stream.pose.stage import PoseStage
from remi_stream.relay.filtering import CameraFilters

DETECTION_S = 0.02
"""Time of one detection, s: 9 ms of the processor, and a frame's way there and back."""
BUSY_LATENCY_S = 0.1
"""Time until a detection arrives on a busy machine, s."""
TIME_TOLERANCE_S = 1e-6
"""Sums of frame intervals are rounded."""


class LiveBodies(NamedTuple):
    """The bodies of one frame."""

    raw: Bodies
    """As the pose stage publishes them."""
    smooth: Bodies
    """As the relay publishes them, with the configuration's filter."""


class LiveSimulation:
    """Runs the pose stage, the detect stage and the relay's filters on frames.

    step_s: time that the pose stage takes for a frame, s; frames captured meanwhile are dropped. latency_s: time until a
    detection arrives, s.
    """

    def __init__(self, config: Config, step_s: float = 0.0, latency_s: float = DETECTION_S) -> None:
        self._camera = config.cameras[0].name
        self._now = self._free_at = self._detector_free_at = float("-inf")
        self._step_s, self._latency_s = step_s, latency_s
        self._pose = PoseStage(config)
        self._detect = DetectStage(config.detector, config.posture, lambda: self._now)
        self._filters = CameraFilters(config)
        self._detections: deque[tuple[float, Detections]] = deque()
        for stage in (self._pose, self._detect, self._filters):
            stage.open()

    def run(self, frames: Iterable[Frame]) -> Iterator[LiveBodies]:
        """Estimate the people of the camera's frames; captured_at must rise."""
        for frame in frames:
            self._now = frame.captured_at
            self._deliver_detections()
            if self._now >= self._free_at:
                self._free_at = self._now + self._step_s
                yield self._estimate(frame)
            if self._now >= self._detector_free_at:
                self._search(frame)

    def _deliver_detections(self) -> None:
        while self._detections and self._detections[0][0] <= self._now + TIME_TOLERANCE_S:
            for _ in self._pose.step(self._detections.popleft()[1]):
                pass

    def _estimate(self, frame: Frame) -> LiveBodies:
        [bodies, *intervals] = self._pose.step(frame)
        assert isinstance(bodies, Bodies)
        for interval in intervals:
            assert isinstance(interval, DetectionInterval)
            for _ in self._detect.step(interval):
                pass
        return LiveBodies(bodies, self._filters.smooth(bodies, self._now))

    def _search(self, frame: Frame) -> None:
        """Give the detector the frame, if one is due."""
        request = self._detect.request(self._camera)
        if self._now < request.not_before or request.view is None:
            return
        self._detector_free_at = self._now + DETECTION_S
        for detections in self._detect.step(render_view(frame, request.view)):
            self._detections.append((self._now + self._latency_s, detections))


def live_bodies(frames: Iterable[Frame], **config: object) -> Iterator[Bodies]:
    """Estimate the people of the frames of the camera "clip", unfiltered, on a busy machine. config: keys of a pipeline file."""
    values = {"cameras": [{"name": "clip", "source": "clip"}], **config}
    yield from (bodies.raw for bodies in LiveSimulation(parse_config(values), latency_s=BUSY_LATENCY_S).run(frames))
