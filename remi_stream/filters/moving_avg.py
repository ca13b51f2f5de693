"""Moving average of bodies over a time window."""

from __future__ import annotations

from collections import deque
from functools import partial

import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import BodyMotion
from remi_stream.filters.tracks import TrackFilter


class MovingAverageSmoother:
    """A Smoother. window_s: length of the window, s; the newest frame is always in it."""

    def __init__(self, first: BodyMotion, window_s: float) -> None:
        self._now, self._window_s = 0.0, window_s
        self._window: deque[tuple[float, BodyMotion]] = deque([(0.0, first)])

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Return the mean motion of the window, dt seconds after the last one."""
        self._now += dt
        self._window.append((self._now, motion))
        while self._now - self._window[0][0] >= self._window_s and len(self._window) > 1:
            self._window.popleft()
        turns, places, shapes = (np.stack(parts) for parts in zip(*(motion for _, motion in self._window)))
        return BodyMotion(quaternion.mean_quaternions(turns), places.mean(0), shapes.mean(0))


def make_moving_average_filter(window_s: float) -> TrackFilter:
    """Make a moving average filter; window_s: length of the window, s."""
    return TrackFilter("moving_avg", partial(MovingAverageSmoother, window_s=window_s), window_s / 2)
