"""Crops and poses: the input and the output of engines, and the interface between tracking and them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.messages import Person


class Crop(NamedTuple):
    """An engine's input for one person in one frame."""

    image: np.ndarray
    """(H, W, 3) uint8 BGR, the full image."""
    box_xyxy: np.ndarray
    """(4,) float32 px: the tight bounding box of the whole body, not squared."""
    track_id: int
    """The track of the person; 0 while it has none."""
    captured_at: float
    """Capture time, s."""
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy px of the full image."""
    state: object | None = None
    """`Pose.state` of this track's last frame; None for a new person."""


class Pose(NamedTuple):
    """An engine's output for one crop."""

    person: Person | None
    """The pose; None if the engine rejects it."""
    next_box_xyxy: np.ndarray
    """(4,) float32 px: the bounding box for the next frame, tight, from the key points."""
    state: object | None = None
    """The engine's state of this track, for the next frame."""
    rejection_reason: str = ""
    """The rejection reason in one word, if person is None."""
