"""BlazePose's region of interest (ROI): a rotated square around a person, smoothed over time by a One-Euro filter."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

ROI_SCALE = 1.25
"""Side of the ROI, in diameters of the circle around the body (MediaPipe's value)."""
MIN_CUTOFF_HZ, SPEED_COEFFICIENT, SPEED_CUTOFF_HZ = 0.01, 10.0, 1.0
"""The One-Euro filter's minimum cut-off (Hz), speed coefficient and cut-off of the speed (Hz): MediaPipe's values."""
MAX_GAP_S = 0.5
"""After a longer gap the ROI is estimated anew."""
FIRST_ROI_SCALE = 1.3
"""Side of the first ROI, in longest sides of the bounding box; generous, since the body's circle is centred on the hips."""


class Roi(NamedTuple):
    """A rotated square in the full image."""

    center: np.ndarray
    """(2,) px."""
    size: float
    """Side, px."""
    angle: float
    """Rotation, rad, clockwise in the image; 0 for an upright person."""

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 2) in [0, 1] of the ROI to px of the full image."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (points - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * self.size + self.center

    def box(self) -> np.ndarray:
        """Return the box (4,) px of the square without margin and rotation."""
        half = self.size / ROI_SCALE / 2
        return np.concatenate([self.center - half, self.center + half])


class RoiFilter(NamedTuple):
    """State of the One-Euro filter on the two points that define an ROI (Casiez et al., 2012)."""

    filtered: np.ndarray
    """(2, 2) px, filtered: hip centre, and a point on the circle around the body."""
    raw: np.ndarray
    """(2, 2) px, as measured in the last frame."""
    speed: np.ndarray
    """(2, 2) body sizes per second, filtered."""
    seen_at: float
    """Capture time of the last frame, s."""

    def roi(self) -> Roi:
        """Return the ROI of the filtered points."""
        return roi_from_points(self.filtered)


def roi_from_points(points: np.ndarray) -> Roi:
    """Return the ROI of the hip centre and a point above it on the circle around the body, (2, 2) px."""
    up = points[1] - points[0]
    return Roi(points[0], 2 * ROI_SCALE * math.hypot(*up), math.atan2(up[0], -up[1]))


def roi_from_box(box: np.ndarray) -> Roi:
    """Return the upright ROI of a new person's bounding box (4,) px."""
    return Roi((box[:2] + box[2:]) / 2, FIRST_ROI_SCALE * float((box[2:] - box[:2]).max()), 0.0)


def update_roi_filter(previous: RoiFilter | None, points: np.ndarray, seen_at: float) -> RoiFilter:
    """Update the One-Euro filter with the points (2, 2) px of a new frame; restart it after a gap."""
    if previous is None or not 0 < seen_at - previous.seen_at < MAX_GAP_S:
        return RoiFilter(points, points, np.zeros((2, 2)), seen_at)
    elapsed = seen_at - previous.seen_at
    size = 2 * math.hypot(*(points[1] - points[0]))
    speed = low_pass(previous.speed, (points - previous.raw) / max(size, 1e-6) / elapsed, SPEED_CUTOFF_HZ, elapsed)
    smooth = low_pass(previous.filtered, points, MIN_CUTOFF_HZ + SPEED_COEFFICIENT * np.abs(speed), elapsed)
    return RoiFilter(smooth, points, speed, seen_at)


def low_pass(old: np.ndarray, new: np.ndarray, cutoff: float | np.ndarray, elapsed: float) -> np.ndarray:
    """Apply one step of a first-order low-pass filter (exponential smoothing); cutoff in Hz."""
    alpha = 1 / (1 + 1 / (2 * math.pi * cutoff * elapsed))
    return alpha * new + (1 - alpha) * old
