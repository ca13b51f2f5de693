"""The capture stage: one camera's pictures, numbered, and facts about the camera."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from pathlib import Path

import cv2

from remi_stream.capture.source import Picture, Source, State, open_source
from remi_stream.config import Camera
from remi_stream.messages import CameraFacts, Frame
from remi_stream.order import Order

FACTS_S = 0.5


class CaptureStage:
    """Gives each picture of a source as a Frame; a new epoch each time it is made."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self._source: Source = open_source(camera)
        self._size = (0, 0)
        self._clock = _boot_id()
        self._facts_at = 0.0
        self._told: State | None = None
        self._ended = False

    def open(self) -> None:
        """Open the camera."""
        cv2.setNumThreads(1)
        self._source.open()

    def step(self) -> Iterable[Frame | CameraFacts] | None:
        """Wait for a picture; None when the source or the wanted number of frames has ended."""
        if self._ended:
            return None
        try:
            picture = self._read()
        except EOFError:
            self._ended = True
            return [self._facts("ended")]
        if picture is None:
            return self._facts_if_due()
        height, width = picture.image.shape[:2]
        self._size = (width, height)
        frame = Frame(
            camera=self.camera.name,
            epoch=self.epoch,
            frame_id=self.captured,
            captured_at=picture.captured_at,
            pts=picture.pts,
            clock=self._clock,
            image=picture.image,
            size=(width, height),
            rectangle=(0.0, 0.0, float(width), float(height)),
            focal_px=self.camera.focal_px,
        )
        self.captured += 1
        return [frame, *self._facts_if_due()]

    def close(self) -> None:
        """Close the camera."""
        self._source.close()

    def _read(self) -> Picture | None:
        if self.captured == self.camera.frames:
            raise EOFError
        return self._source.read()

    def _facts_if_due(self) -> list[CameraFacts]:
        now, state = time.monotonic(), self._source.state
        if state == self._told and now < self._facts_at:
            return []
        self._told, self._facts_at = state, now + FACTS_S
        return [self._facts(state)]

    def _facts(self, state: State) -> CameraFacts:
        return CameraFacts(
            camera=self.camera.name,
            epoch=self.epoch,
            state=state,
            source=self._source.description,
            size=self._size,
            fps=self._source.fps,
            captured=self.captured,
        )


def make(order: Order) -> CaptureStage:
    """Make the stage for an order."""
    return CaptureStage(order.config.camera(order.camera))


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
