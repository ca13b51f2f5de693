"""Synthetic camera for tests and benchmarks: grey images at a steady rate, and faults on demand."""

from __future__ import annotations

import os
import signal
import time
from urllib.parse import parse_qsl, urlsplit

import msgspec
import numpy as np

from remi_stream.capture.source import CapturedImage
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import CameraState


class SyntheticOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options in the source's query: `synthetic:?fps=30&width=640&height=360&hang_at=100`. A fault at frame -1 never happens."""

    fps: float = 30.0
    width: int = 640
    """px."""
    height: int = 360
    """px."""
    away_at: int = -1
    """Frame before which the camera is unavailable for away_s."""
    away_s: float = 1.0
    hang_at: int = -1
    """Frame whose read never returns."""
    crash_at: int = -1
    """Frame at which the process is killed."""
    refuse: bool = False
    """Opening fails."""


class SyntheticSource:
    """Source of grey images with a moving bar, each a new array, in real time."""

    def __init__(self, url: str) -> None:
        self.description = "synthetic"
        self.state: CameraState = "starting"
        try:
            self.options = msgspec.convert(dict(parse_qsl(urlsplit(url).query)), SyntheticOptions, strict=False)
        except msgspec.ValidationError as error:
            allowed = ", ".join(SyntheticOptions.__struct_fields__)
            raise UsageError(f"Source {url!r}: {error}; allowed: {allowed}") from None
        self.fps = self.options.fps
        self._count = 0

    def open(self) -> None:
        """Start the clock at frame 0."""
        if self.options.refuse:
            raise RemiError("The synthetic camera refuses to open (refuse=true)")
        self._started_at = time.monotonic()

    def read(self) -> CapturedImage:
        """Wait until the next frame is due and return it, or trigger the fault of this frame."""
        index, options = self._count, self.options
        self._count += 1
        if index == options.hang_at:
            time.sleep(3600)
        if index == options.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == options.away_at:
            self.state = "reconnecting"
            time.sleep(options.away_s)
            self._started_at += options.away_s  # or the frames missed meanwhile would all come at once
        self.state = "live"
        time.sleep(max(0.0, self._started_at + index / options.fps - time.monotonic()))
        image = np.full((options.height, options.width, 3), 96, np.uint8)
        image[:, index * 4 % options.width :][:, :4] = 255
        return CapturedImage(image, time.monotonic(), index / options.fps)

    def close(self) -> None:
        """Nothing to close."""


def make_synthetic_source(camera: CameraConfig, *, restarted: bool = False) -> SyntheticSource:
    """Make the source of a camera "synthetic:?..."."""
    return SyntheticSource(camera.source)
