"""Double exponential smoothing (Holt) of bodies: a level and a trend (velocity, angular velocity for rotations)."""

from __future__ import annotations

from functools import partial

import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion
from remi_stream.filters.single_exp import share
from remi_stream.filters.tracks import TrackFilter


class DoubleExponential:
    """A Smoother. time_s, trend_time_s: time constants of level and trend, s. The betas have no trend."""

    def __init__(self, first: Motion, time_s: float, trend_time_s: float) -> None:
        self._level = first
        self._angular_velocity, self._velocity = np.zeros((len(first.turns), 3)), np.zeros_like(first.places)
        self._time_s, self._trend_time_s = time_s, trend_time_s

    def step(self, motion: Motion, dt: float) -> Motion:
        """Smooth one motion, dt seconds after the last one."""
        before, alpha, beta = self._level, share(dt, self._time_s), share(dt, self._trend_time_s)
        predicted = quaternion.turned(before.turns, self._angular_velocity * dt)
        turns = quaternion.turned(predicted, alpha * quaternion.difference(predicted, motion.turns))
        places = before.places + self._velocity * dt
        places = places + alpha * (motion.places - places)
        self._angular_velocity += beta * (quaternion.difference(before.turns, turns) / dt - self._angular_velocity)
        self._velocity += beta * ((places - before.places) / dt - self._velocity)
        self._level = Motion(turns, places, before.shape + alpha * (motion.shape - before.shape))
        return self._level


def open_filter(time_s: float, trend_time_s: float) -> TrackFilter:
    """Make a double exponential filter. Uniform motion has no lag once the trend has converged, so no lag is stated."""
    return TrackFilter("double_exp", partial(DoubleExponential, time_s=time_s, trend_time_s=trend_time_s), None)
