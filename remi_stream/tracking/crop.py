"""Crops and poses: the input and the output of engines, and the interface between tracking and them."""

from __future__ import annotations

import math
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
    circle_px: np.ndarray | None = None
    """(2, 2) px: centre of the body's circle, between the hips, and its point beyond the head; None: unknown."""


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
    circle_px: np.ndarray | None = None
    """(2, 2) px: centre of the body's circle, between the hips, and its point beyond the head; None: the engine sees none."""


def circle_roll_rad(circle_px: np.ndarray) -> float:
    """Rotation of a body in the image, clockwise: 0 for an upright one, pi / 2 if its head is at the right. circle_px: (2, 2)."""
    up = circle_px[1] - circle_px[0]
    return math.atan2(float(up[0]), -float(up[1]))
