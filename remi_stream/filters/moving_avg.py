"""The moving average of bodies: the mean of what was seen in the last moments."""

from __future__ import annotations

from collections import deque
from functools import partial

import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion
from remi_stream.filters.tracks import TrackFilter


class MovingAverage:
    """A Smoother. window_s: frames older than this do not count; the newest one always does."""

    def __init__(self, first: Motion, window_s: float) -> None:
        self._now, self._window_s = 0.0, window_s
        self._seen: deque[tuple[float, Motion]] = deque([(0.0, first)])

    def step(self, motion: Motion, dt: float) -> Motion:
        """The mean motion."""
        self._now += dt
        self._seen.append((self._now, motion))
        while self._now - self._seen[0][0] >= self._window_s and len(self._seen) > 1:
            self._seen.popleft()
        turns, places, shapes = (np.stack(parts) for parts in zip(*(motion for _, motion in self._seen)))
        return Motion(quaternion.mean(turns), places.mean(0), shapes.mean(0))


def open_filter(window_s: float) -> TrackFilter:
    """Make it."""
    return TrackFilter("moving_avg", partial(MovingAverage, window_s=window_s), window_s / 2)
