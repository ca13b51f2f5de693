"""People whose boxes are known beforehand: those of the sample clip. For measuring an engine without a detector and tracks."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.messages import Detections
from remi_stream.pose.engine import Crop, Pose
from remi_stream.sample import sample_boxes

TRACK = 1


class GivenBoxes:
    """One person, always there: takes the part of `Tracks` when `boxes` is "truth". What the engine finds is not followed."""

    settled = True

    def __init__(self) -> None:
        self._boxes = sample_boxes()
        self._state: object | None = None

    def detected(self, detections: Detections) -> None:
        """Detections change nothing."""

    def crops(self, frame_id: int, captured_at: float, image: np.ndarray, intrinsics: Intrinsics) -> list[Crop]:
        """The true box of a frame; the clip is played over and over, and numbered on."""
        box = self._boxes[frame_id % len(self._boxes)]
        return [Crop(image, box, TRACK, captured_at, intrinsics, self._state)]

    def posed(self, frame_id: int, captured_at: float, image: np.ndarray, poses: list[Pose]) -> list[Pose]:
        """All poses are published."""
        self._state = poses[0].state
        return [pose for pose in poses if pose.person is not None]
