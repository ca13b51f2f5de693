"""Fixed bounding boxes: those of the sample clip, to measure an engine without detector and tracking."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.messages import Detections
from remi_stream.pose.engine import Crop, Pose
from remi_stream.sample import sample_boxes

FIXED_TRACK_ID = 1


class FixedBoxes:
    """Replaces `Tracks` when `boxes` is "truth": one person with the clip's ground-truth boxes; poses do not move them."""

    is_stable = True

    def __init__(self) -> None:
        self._boxes = sample_boxes()
        self._state: object | None = None

    def update_detections(self, detections: Detections) -> None:
        """Ignore detections."""

    def crops(self, frame_id: int, captured_at: float, image: np.ndarray, intrinsics: Intrinsics) -> list[Crop]:
        """Return the crop of a frame's ground-truth box; frame ids count on when the clip repeats."""
        box = self._boxes[frame_id % len(self._boxes)]
        return [Crop(image, box, FIXED_TRACK_ID, captured_at, intrinsics, self._state)]

    def update_poses(self, frame_id: int, captured_at: float, image: np.ndarray, poses: list[Pose]) -> list[Pose]:
        """Keep the engine's state; return every accepted pose."""
        self._state = poses[0].state
        return [pose for pose in poses if pose.person is not None]
