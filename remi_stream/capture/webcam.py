"""USB or built-in camera of this machine (V4L2), read with OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import cv2

from remi_stream.capture.devices import device_paths, device_users
from remi_stream.capture.live import CameraUnavailable
from remi_stream.capture.source import CapturedImage
from remi_stream.errors import RemiError

DEFAULT_SIZE, DEFAULT_FPS = (1280, 720), 30.0
"""Default capture size, (width, height) px, and frame rate."""
MAX_BROKEN_FRAMES = 30
"""Consecutive broken frames after which the camera counts as failed; the first few of a cheap one often are broken."""


class Webcam:
    """V4L2 camera. captured_at: when grab() returned. open_capture: factory of the capture, cv2.VideoCapture but in tests."""

    def __init__(
        self, path: str, size: tuple[int, int] | None, fps: float | None, open_capture: Callable[..., Any] = cv2.VideoCapture
    ) -> None:
        self.description = path
        self.fps = 0.0
        self._path = path
        self._size = size or DEFAULT_SIZE
        self._requested_fps = fps or DEFAULT_FPS
        self._make = open_capture
        self._was_open = False

    def read_frames(self) -> Generator[CapturedImage | None, None, None]:
        """Open the device and yield frames until it is unplugged."""
        if self._was_open and not Path(self._path).exists():
            raise CameraUnavailable("unplugged")
        check_device(self._path)
        capture = self._open()
        first, broken = True, 0
        try:
            while broken < MAX_BROKEN_FRAMES and capture.grab():
                captured_at = time.monotonic()
                decoded, image = capture.retrieve()
                first, broken = (False, 0) if decoded else (first, broken + 1)
                yield CapturedImage(image, captured_at, captured_at) if decoded else None
            raise self._no_frame_error(first=first)
        finally:
            capture.release()

    def _open(self) -> Any:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        capture = self._make(self._path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise self._no_frame_error(first=True)
        width, height = self._size
        # many USB cameras give only 10 fps at 720p in YUYV, 30 in MJPG
        for name, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, self._requested_fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            capture.set(name, value)
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._was_open = True
        return capture

    def _no_frame_error(self, *, first: bool) -> CameraUnavailable | RemiError:
        """Why there is no frame."""
        if not Path(self._path).exists():
            return CameraUnavailable("unplugged")
        if not first:
            return CameraUnavailable("gives no more frames")
        users = device_users(self._path)
        if users:
            return RemiError(f"Camera {self._path} is in use by process {', '.join(users)}. End it, or use another camera")
        return RemiError(f"Camera {self._path} opens but gives no frame. List its modes: remi-stream cameras")


def check_device(path: str) -> None:
    """Raise RemiError unless the device exists and this user may open it."""
    if not Path(path).exists():
        available = f"available: {', '.join(device_paths())}" if device_paths() else "this machine has no /dev/video*"
        raise RemiError(f"No camera {path}; {available}. Plug it in, then: remi-stream cameras")
    if not os.access(path, os.R_OK | os.W_OK):
        raise RemiError(f"This user may not open camera {path}. Join its group: sudo usermod -aG video $USER, then log in again")
