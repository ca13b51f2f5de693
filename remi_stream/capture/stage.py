"""Capture stage: publishes the numbered frames of a camera, and the camera's status."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from remi_stream.capture.preprocess import Preprocessor
from remi_stream.capture.source import CapturedImage, Source
from remi_stream.config import CameraConfig
from remi_stream.messages import CameraFacts, CameraState, Frame
from remi_stream.plugins import import_from_string
from remi_stream.redaction import redact
from remi_stream.sources import find_source
from remi_stream.stage import StageSpec, StatusTimer


class FrameRateLimiter:
    """Accepts at most max_fps frames per second, evenly spaced; all frames if max_fps is None."""

    def __init__(self, max_fps: float | None) -> None:
        self._step = 1 / max_fps if max_fps else None
        self._due = float("-inf")

    def accepts(self, at: float) -> bool:
        """Whether to use the frame captured at this time, s."""
        if self._step is None:
            return True
        # a quarter period of tolerance: jitter of the capture times must not drop every other frame
        if at + self._step / 4 < self._due:
            return False
        self._due = max(self._due, at - self._step / 4) + self._step
        return True


class CaptureStage:
    """Publishes each image of a source as a Frame; each instance is a new epoch."""

    def __init__(self, camera: CameraConfig, *, restarted: bool = False) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self.counts: Counter[str] = Counter()
        self._source: Source = make_source(camera, restarted=restarted)
        self._preprocessor = Preprocessor(camera, restarted=restarted)
        self._rate_limiter = FrameRateLimiter(camera.max_fps)
        self._first_frame: Frame | None = None
        self._overrun = 0
        self._size = (0, 0)
        self._clock = _boot_id()
        self._status_timer = StatusTimer()
        self._ended = False

    def open(self) -> None:
        """Open the camera. Its first image, if it comes at once, is checked against masks and calibration."""
        cv2.setNumThreads(1)
        self._source.open()
        with contextlib.suppress(EOFError):
            self._first_frame = self._read()

    def step(self) -> Iterable[Frame | CameraFacts] | None:
        """Wait for a frame; None at the end of the source or after the configured number of frames."""
        if self._ended:
            return None
        try:
            frame, self._first_frame = self._first_frame or self._read(), None
        except EOFError:
            self._ended = True
            return [self._facts("ended")]
        return self._facts_if_due() if frame is None else [frame, *self._facts_if_due()]

    def close(self) -> None:
        """Close the camera."""
        self._source.close()

    def _read(self) -> Frame | None:
        """Read an image and preprocess it; None if none came, the frame rate limiter rejects it or its size is wrong."""
        if self.camera.frames and self.captured >= self.camera.frames:
            raise EOFError
        captured = self._source.read()
        if captured is None:
            return None
        self._overrun += captured.overrun  # also of an image that is not used: the next frame reports them
        # a file that is not played in real time is read faster than its frame rate: its pts counts
        if not self._rate_limiter.accepts(captured.captured_at if self.camera.realtime else captured.pts):
            return None
        pixels = captured.pixels
        if pixels is None:
            self._overrun += 1
            return None
        image = self._preprocessor.apply(pixels)
        return None if image is None else self._frame(captured, image)

    def _frame(self, captured: CapturedImage, image: np.ndarray) -> Frame:
        height, width = image.shape[:2]
        self._size = (width, height)
        overrun, self._overrun = self._overrun, 0
        # frames dropped before this one get ids too, so that the ledger can account for them
        self.captured += overrun + 1
        return Frame(
            camera=self.camera.name,
            epoch=self.epoch,
            frame_id=self.captured - 1,
            captured_at=captured.captured_at,
            skipped={"capture/overrun": overrun} if overrun else {},
            pts=captured.pts,
            clock=self._clock,
            image=image,
            size=(width, height),
            rectangle=(0.0, 0.0, float(width), float(height)),
            intrinsics=self._preprocessor.intrinsics,
        )

    def _facts_if_due(self) -> list[CameraFacts]:
        state: CameraState = "reconnecting" if self._preprocessor.has_wrong_size else self._source.state
        return [self._facts(state)] if self._status_timer.is_due(state, time.monotonic()) else []

    def _facts(self, state: CameraState) -> CameraFacts:
        pose = self._preprocessor.camera_from_world
        return CameraFacts(
            camera=self.camera.name,
            epoch=self.epoch,
            state=state,
            state_s=self._status_timer.state_s(time.monotonic()),
            source=redact(self._source.description),
            size=self._size,
            fps=self._source.fps,
            captured=self.captured,
            camera_from_world=None if pose is None else tuple(pose.reshape(-1).tolist()),
        )


def make_source(camera: CameraConfig, *, restarted: bool = False) -> Source:
    """Make the source of images that a camera names, not opened yet. restarted: the process was restarted."""
    source: Source = import_from_string(find_source(camera.source).factory)(camera, restarted=restarted)
    return source


def make_capture_stage(spec: StageSpec) -> CaptureStage:
    """Make the stage of a camera."""
    return CaptureStage(spec.config.camera(spec.camera), restarted=spec.restarts > 0)


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
