"""A fake webcam: cv2.VideoCapture for a device that is a file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np


class FakeDevice:
    """A device at a path. It delivers one frame per `expose`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = 0
        self.settings: dict[int, float] = {}
        self.busy = False
        self.broken = 0
        self._frames = threading.Semaphore(0)
        self.plug_in()

    def plug_in(self) -> None:
        """Make the device's file."""
        self.path.touch()

    def unplug(self) -> None:
        """Remove the device's file and wake a thread that waits for a frame."""
        self.path.unlink()
        self._frames.release()

    def expose(self, frames: int = 1) -> None:
        """Add frames to deliver."""
        for _ in range(frames):
            self._frames.release()

    def video_capture(self, path: str, backend: int) -> FakeCapture:
        """Stand-in for cv2.VideoCapture(path, cv2.CAP_V4L2)."""
        assert (path, backend) == (str(self.path), cv2.CAP_V4L2)
        self.opened += 1
        return FakeCapture(self)

    def wait(self) -> bool:
        """Wait for a frame as select does; False when there is none."""
        return self._frames.acquire(timeout=0.3) and self.path.exists() and not self.busy


class FakeCapture:
    """Stand-in for an open cv2.VideoCapture."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self.released = False

    def isOpened(self) -> bool:
        return self._device.path.exists()

    def set(self, name: int, value: float) -> bool:
        self._device.settings[name] = value
        return True

    def get(self, name: int) -> float:
        return self._device.settings.get(name, 0.0)

    def grab(self) -> bool:
        assert not self.released
        return self._device.wait()

    def retrieve(self) -> tuple[bool, Any]:
        if self._device.broken:
            self._device.broken -= 1
            return False, None
        size = int(self.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(self.get(cv2.CAP_PROP_FRAME_WIDTH))
        return True, np.full((*size, 3), self._device.opened, np.uint8)

    def release(self) -> None:
        self.released = True
