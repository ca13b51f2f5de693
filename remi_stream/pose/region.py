"""BlazePose's region of interest (ROI): a rotated square around a person, smoothed over time by a One-Euro filter."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

MARGIN = 1.25
"""Side of the ROI, in diameters of the circle around the body (MediaPipe's value)."""
LEAST_CUTOFF, BETA, SPEED_CUTOFF = 0.01, 10.0, 1.0
"""The One-Euro filter's minimum cut-off (Hz), speed coefficient and cut-off of the speed (Hz): MediaPipe's values."""
LONGEST_GAP_S = 0.5
"""After a longer gap the ROI is estimated anew."""
BOX_MARGIN = 1.3
"""Side of the first ROI, in longest sides of the bounding box; generous, since the body's circle is centred on the hips."""


class Region(NamedTuple):
    """A rotated square in the full image."""

    center: np.ndarray
    """(2,) px."""
    size: float
    """Side, px."""
    angle: float
    """Rotation, rad, clockwise in the image; 0 for an upright person."""

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 2) in [0, 1] of the ROI to px of the full image."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (points - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * self.size + self.center

    def box(self) -> np.ndarray:
        """Return the box (4,) px of the square without margin and rotation."""
        half = self.size / MARGIN / 2
        return np.concatenate([self.center - half, self.center + half])


class Follower(NamedTuple):
    """State of the One-Euro filter on the two points that define an ROI (Casiez et al., 2012)."""

    smooth: np.ndarray
    """(2, 2) px, filtered: hip centre, and a point on the circle around the body."""
    raw: np.ndarray
    """(2, 2) px, as measured in the last frame."""
    speed: np.ndarray
    """(2, 2) body sizes per second, filtered."""
    seen_at: float
    """Capture time of the last frame, s."""

    def region(self) -> Region:
        """Return the ROI of the filtered points."""
        return region_of(self.smooth)


def region_of(points: np.ndarray) -> Region:
    """Return the ROI of the hip centre and a point above it on the circle around the body, (2, 2) px."""
    up = points[1] - points[0]
    return Region(points[0], 2 * MARGIN * math.hypot(*up), math.atan2(up[0], -up[1]))


def region_around(box: np.ndarray) -> Region:
    """Return the upright ROI of a new person's bounding box (4,) px."""
    return Region((box[:2] + box[2:]) / 2, BOX_MARGIN * float((box[2:] - box[:2]).max()), 0.0)


def follow(before: Follower | None, points: np.ndarray, seen_at: float) -> Follower:
    """Update the One-Euro filter with the points (2, 2) px of a new frame; restart it after a gap."""
    if before is None or not 0 < seen_at - before.seen_at < LONGEST_GAP_S:
        return Follower(points, points, np.zeros((2, 2)), seen_at)
    elapsed = seen_at - before.seen_at
    size = 2 * math.hypot(*(points[1] - points[0]))
    speed = mix(before.speed, (points - before.raw) / max(size, 1e-6) / elapsed, SPEED_CUTOFF, elapsed)
    smooth = mix(before.smooth, points, LEAST_CUTOFF + BETA * np.abs(speed), elapsed)
    return Follower(smooth, points, speed, seen_at)


def mix(old: np.ndarray, new: np.ndarray, cutoff: float | np.ndarray, elapsed: float) -> np.ndarray:
    """Apply one step of a first-order low-pass filter (exponential smoothing); cutoff in Hz."""
    alpha = 1 / (1 + 1 / (2 * math.pi * cutoff * elapsed))
    return alpha * new + (1 - alpha) * old
