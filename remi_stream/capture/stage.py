"""The capture stage: one camera's pictures, numbered, and facts about the camera."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

import cv2

from remi_stream.capture.cap import Cap
from remi_stream.capture.lens import Lens
from remi_stream.capture.source import Picture, Source, State, open_source
from remi_stream.capture.telling import Telling
from remi_stream.config import Camera
from remi_stream.messages import CameraFacts, Frame
from remi_stream.order import Order


class CaptureStage:
    """Gives each picture of a source as a Frame; a new epoch each time it is made."""

    def __init__(self, camera: Camera, *, again: bool = False) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self._source: Source = open_source(camera, again=again)
        self._lens = Lens(camera, again=again)
        self._cap = Cap(camera.max_fps)
        self._first: Picture | None = None
        self._size = (0, 0)
        self._clock = _boot_id()
        self._telling = Telling()
        self._ended = False

    def open(self) -> None:
        """Open the camera. Its first picture, if it comes at once, shows whether masks and calibration fit."""
        cv2.setNumThreads(1)
        self._source.open()
        with contextlib.suppress(EOFError):
            self._first = self._read()

    def step(self) -> Iterable[Frame | CameraFacts] | None:
        """Wait for a picture; None when the source or the wanted number of frames has ended."""
        if self._ended:
            return None
        try:
            picture, self._first = self._first or self._read(), None
        except EOFError:
            self._ended = True
            return [self._facts("ended")]
        return self._facts_if_due() if picture is None else [self._frame(picture), *self._facts_if_due()]

    def close(self) -> None:
        """Close the camera."""
        self._source.close()

    def _read(self) -> Picture | None:
        """Give the next picture that is to be taken, as everybody sees it."""
        if self.camera.frames and self.captured >= self.camera.frames:
            raise EOFError
        picture = self._source.read()
        if picture is None or not self._cap.passes(picture.captured_at if self.camera.realtime else picture.pts):
            return None
        image = self._lens.see(picture.image)
        return None if image is None else picture._replace(image=image)

    def _frame(self, picture: Picture) -> Frame:
        height, width = picture.image.shape[:2]
        self._size = (width, height)
        self.captured += picture.missed + 1
        return Frame(
            camera=self.camera.name,
            epoch=self.epoch,
            frame_id=self.captured - 1,
            captured_at=picture.captured_at,
            skipped={"capture/overrun": picture.missed} if picture.missed else {},
            pts=picture.pts,
            clock=self._clock,
            image=picture.image,
            size=(width, height),
            rectangle=(0.0, 0.0, float(width), float(height)),
            intrinsics=self._lens.intrinsics,
        )

    def _facts_if_due(self) -> list[CameraFacts]:
        state: State = "reconnecting" if self._lens.unfit else self._source.state
        return [self._facts(state)] if self._telling.due(state, time.monotonic()) else []

    def _facts(self, state: State) -> CameraFacts:
        pose = self._lens.camera_from_world
        return CameraFacts(
            camera=self.camera.name,
            epoch=self.epoch,
            state=state,
            source=self._source.description,
            size=self._size,
            fps=self._source.fps,
            captured=self.captured,
            camera_from_world=None if pose is None else tuple(pose.reshape(-1).tolist()),
        )


def make(order: Order) -> CaptureStage:
    """Make the stage for an order."""
    return CaptureStage(order.config.camera(order.camera), again=order.life > 0)


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
