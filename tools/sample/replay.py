"""Plays a clip through the detect and pose stages as they are, on a clock of its own: detections come late, as they do live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from remi_stream.capture.preprocess import render_view
from remi_stream.config import parse_config
from remi_stream.detect.stage import DetectStage
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Bodies, DetectionInterval, Detections, Frame
from remi_stream.pose.stage import PoseStage

LATE_S = 0.1
"""Time until detections arrive, s."""
CAMERA = "clip"


class Replay:
    """The two stages of a live pipeline for one clip. searches: all detections so far. fps: of the clip."""

    def __init__(self, max_people: int = 4, fps: float = 30.0, **config: object) -> None:
        self._now = 0.0
        self._fps = fps
        self._pose = PoseStage(
            parse_config({"cameras": [{"name": CAMERA, "source": "clip"}], "max_people": max_people, **config})
        )
        self._detect = DetectStage("blazepose", clock=lambda: self._now)
        self._pose.open()
        self._detect.open()
        self._under_way: list[tuple[float, Detections]] = []
        self.searches: list[Detections] = []

    def run(self, clip: Path, intrinsics: Intrinsics | None) -> Iterator[tuple[Frame, Bodies]]:
        """Yield each frame and the bodies published for it. intrinsics: None without a calibration."""
        for frame in clip_frames(clip, intrinsics, self._fps):
            yield frame, self.step(frame)

    def step(self, frame: Frame) -> Bodies:
        """Give the stages a frame; return the bodies published for it."""
        self._now = frame.captured_at
        while self._under_way and self._under_way[0][0] <= self._now + 1e-6:
            list(self._pose.step(self._under_way.pop(0)[1]))
        bodies, *searches = self._pose.step(frame)
        for search in searches:
            assert isinstance(search, DetectionInterval)
            list(self._detect.step(search))
        self._search(frame)
        assert isinstance(bodies, Bodies)
        return bodies

    def _search(self, frame: Frame) -> None:
        """Run the detector, if it is due."""
        request = self._detect.request(CAMERA)
        if request.not_before > self._now:
            return
        assert request.view is not None
        for found in self._detect.step(render_view(frame, request.view)):
            self.searches.append(found)
            self._under_way.append((frame.captured_at + LATE_S, found))


def clip_frames(clip: Path, intrinsics: Intrinsics | None, fps: float) -> Iterator[Frame]:
    """Decode a clip into frames."""
    with av.open(str(clip)) as container:
        for frame_id, picture in enumerate(container.decode(video=0)):
            yield frame_of(picture.to_ndarray(format="bgr24"), frame_id, intrinsics, fps)


def frame_of(image: np.ndarray, frame_id: int, intrinsics: Intrinsics | None, fps: float = 30.0) -> Frame:
    """Make the frame of an image (H, W, 3) uint8 BGR."""
    height, width = image.shape[:2]
    return Frame(
        camera=CAMERA,
        epoch=1,
        frame_id=frame_id,
        captured_at=frame_id / fps,
        image=image,
        size=(width, height),
        rectangle=(0.0, 0.0, float(width), float(height)),
        intrinsics=intrinsics,
    )
