"""Holt's double exponential smoothing of bodies: a level, and a trend that carries it on (a velocity, angular for rotations)."""

from __future__ import annotations

from functools import partial

import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion
from remi_stream.filters.single_exp import share
from remi_stream.filters.tracks import TrackFilter


class DoubleExponential:
    """A Smoother. time_s: of the level, trend_time_s: of the trend. The shape has no trend."""

    def __init__(self, first: Motion, time_s: float, trend_time_s: float) -> None:
        self._level = first
        self._turning, self._moving = np.zeros((len(first.turns), 3)), np.zeros_like(first.places)
        self._time_s, self._trend_time_s = time_s, trend_time_s

    def step(self, motion: Motion, dt: float) -> Motion:
        """The smoothed motion."""
        before, alpha, beta = self._level, share(dt, self._time_s), share(dt, self._trend_time_s)
        carried = quaternion.turned(before.turns, self._turning * dt)
        turns = quaternion.turned(carried, alpha * quaternion.difference(carried, motion.turns))
        places = before.places + self._moving * dt
        places = places + alpha * (motion.places - places)
        self._turning += beta * (quaternion.difference(before.turns, turns) / dt - self._turning)
        self._moving += beta * ((places - before.places) / dt - self._moving)
        self._level = Motion(turns, places, before.shape + alpha * (motion.shape - before.shape))
        return self._level


def open_filter(time_s: float, trend_time_s: float) -> TrackFilter:
    """Make it. A steady movement comes without lag in the end, but the trend needs its time to learn it."""
    return TrackFilter("double_exp", partial(DoubleExponential, time_s=time_s, trend_time_s=trend_time_s), None)
