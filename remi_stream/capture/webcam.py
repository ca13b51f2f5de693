"""A camera at this machine (V4L2), read with OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import cv2

from remi_stream.capture.devices import holders, paths
from remi_stream.capture.live import Away
from remi_stream.capture.source import Picture
from remi_stream.errors import RemiError

SIZE, FPS = (1280, 720), 30.0
MOST_BROKEN = 30
"""So many broken pictures on end are no camera; the first few of a cheap one often are."""


class Webcam:
    """Asks for MJPG, since many cameras give only 10 fps at 720p without. captured_at: when the grab returned.

    make: makes what cv2.VideoCapture makes.
    """

    def __init__(
        self, path: str, size: tuple[int, int] | None, fps: float | None, make: Callable[..., Any] = cv2.VideoCapture
    ) -> None:
        self.description = path
        self.fps = 0.0
        self._path = path
        self._size = size or SIZE
        self._wanted_fps = fps or FPS
        self._make = make
        self._was_here = False

    def pictures(self) -> Generator[Picture | None, None, None]:
        """Open the device and give its pictures until it is unplugged."""
        if self._was_here and not Path(self._path).exists():
            raise Away("unplugged")
        check(self._path)
        capture = self._open()
        first, broken = True, 0
        try:
            while broken < MOST_BROKEN and capture.grab():
                captured_at = time.monotonic()
                whole, image = capture.retrieve()
                first, broken = (False, 0) if whole else (first, broken + 1)
                yield Picture(image, captured_at, captured_at) if whole else None
            raise self._silence(first=first)
        finally:
            capture.release()

    def _open(self) -> Any:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        capture = self._make(self._path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise self._silence(first=True)
        width, height = self._size
        for name, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, self._wanted_fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            capture.set(name, value)
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._was_here = True
        return capture

    def _silence(self, *, first: bool) -> Away | RemiError:
        """Why there is no picture."""
        if not Path(self._path).exists():
            return Away("unplugged")
        if not first:
            return Away("gives no more pictures")
        users = holders(self._path)
        if users:
            return RemiError(f"Camera {self._path} is in use by process {', '.join(users)}. End it, or take another camera")
        return RemiError(f"Camera {self._path} opens but gives no picture. See what it can do: remi-stream cameras")


def check(path: str) -> None:
    """Raise RemiError unless there is such a device and this user may use it."""
    if not Path(path).exists():
        there = f"there are {', '.join(paths())}" if paths() else "this machine has no /dev/video*"
        raise RemiError(f"No camera {path}; {there}. Plug it in, and see: remi-stream cameras")
    if not os.access(path, os.R_OK | os.W_OK):
        raise RemiError(f"This user may not use camera {path}. Join its group: sudo usermod -aG video $USER, then log in again")
