"""A camera that is not there: plain pictures at a steady pace, and faults on demand. For tests and benchmarks."""

from __future__ import annotations

import os
import signal
import time
from urllib.parse import parse_qsl, urlsplit

import msgspec
import numpy as np

from remi_stream.capture.source import Picture, State
from remi_stream.errors import RemiError, UsageError


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`synthetic:?fps=30&width=640&height=360&hang_at=100`: what to make, and at which frame which fault happens.

    away_at, away_s: the camera gives nothing for a while. hang_at: one call never returns. crash_at: the process is killed.
    refuse: opening fails.
    """

    fps: float = 30.0
    width: int = 640
    height: int = 360
    away_at: int = -1
    away_s: float = 1.0
    hang_at: int = -1
    crash_at: int = -1
    refuse: bool = False


class SyntheticSource:
    """Gives grey pictures with a moving bar, each a new array, paced by the clock."""

    def __init__(self, url: str) -> None:
        self.description = "synthetic"
        self.state: State = "starting"
        try:
            self.options = msgspec.convert(dict(parse_qsl(urlsplit(url).query)), Options, strict=False)
        except msgspec.ValidationError as error:
            allowed = ", ".join(Options.__struct_fields__)
            raise UsageError(f"Source {url!r}: {error}; allowed: {allowed}") from None
        self.fps = self.options.fps
        self._count = 0

    def open(self) -> None:
        """Begin at frame 0 now."""
        if self.options.refuse:
            raise RemiError("The synthetic camera refuses to open, as it was told to")
        self._started_at = time.monotonic()

    def read(self) -> Picture:
        """Wait until the next picture is due, and give it; or do the fault that is due."""
        index, options = self._count, self.options
        self._count += 1
        if index == options.hang_at:
            time.sleep(3600)
        if index == options.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == options.away_at:
            self.state = "reconnecting"
            time.sleep(options.away_s)
            self._started_at += options.away_s
        self.state = "live"
        time.sleep(max(0.0, self._started_at + index / options.fps - time.monotonic()))
        image = np.full((options.height, options.width, 3), 96, np.uint8)
        image[:, index * 4 % options.width :][:, :4] = 255
        return Picture(image, time.monotonic(), index / options.fps)

    def close(self) -> None:
        """Nothing to let go of."""
