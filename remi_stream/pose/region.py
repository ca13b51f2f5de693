"""The turned square of the picture that BlazePose looks at, and how it follows a person."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

MARGIN = 1.25
LEAST_CUTOFF, BETA, SPEED_CUTOFF = 0.01, 10.0, 1.0
LONGEST_GAP_S = 0.5
BOX_MARGIN = 1.3
"""Side of a first look, in longest sides of the box: the body's circle is about its hips, not the box's middle."""


class Region(NamedTuple):
    """center: (2,) px. size: px. angle: radians, clockwise on the screen; 0 for a person who stands upright."""

    center: np.ndarray
    size: float
    angle: float

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 2) in [0, 1] of the region to px of the picture."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (points - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * self.size + self.center

    def box(self) -> np.ndarray:
        """The box (4,) px of the square without its margin and turn."""
        half = self.size / MARGIN / 2
        return np.concatenate([self.center - half, self.center + half])


class Follower(NamedTuple):
    """A One-Euro filter on the two points that make a region (Casiez et al., 2012).

    smooth, raw: (2, 2) px, hip centre and a point of the body's circle. speed: (2, 2) body sizes per second.
    seen_at: s.
    """

    smooth: np.ndarray
    raw: np.ndarray
    speed: np.ndarray
    seen_at: float

    def region(self) -> Region:
        """The region that the smooth points make."""
        return region_of(self.smooth)


def region_of(points: np.ndarray) -> Region:
    """Make a region from the hips' middle and a point above on the body's circle, (2, 2) px."""
    up = points[1] - points[0]
    return Region(points[0], 2 * MARGIN * math.hypot(*up), math.atan2(up[0], -up[1]))


def region_around(box: np.ndarray) -> Region:
    """The upright region to look at for a person of whom only a box (4,) px is known."""
    return Region((box[:2] + box[2:]) / 2, BOX_MARGIN * float((box[2:] - box[:2]).max()), 0.0)


def follow(before: Follower | None, points: np.ndarray, seen_at: float) -> Follower:
    """Take in the points (2, 2) px of a new frame."""
    if before is None or not 0 < seen_at - before.seen_at < LONGEST_GAP_S:
        return Follower(points, points, np.zeros((2, 2)), seen_at)
    elapsed = seen_at - before.seen_at
    size = 2 * math.hypot(*(points[1] - points[0]))
    speed = mix(before.speed, (points - before.raw) / max(size, 1e-6) / elapsed, SPEED_CUTOFF, elapsed)
    smooth = mix(before.smooth, points, LEAST_CUTOFF + BETA * np.abs(speed), elapsed)
    return Follower(smooth, points, speed, seen_at)


def mix(old: np.ndarray, new: np.ndarray, cutoff: float | np.ndarray, elapsed: float) -> np.ndarray:
    """A first-order low-pass step; cutoff in Hz."""
    share = 1 / (1 + 1 / (2 * math.pi * cutoff * elapsed))
    return share * new + (1 - share) * old
