"""Double exponential smoothing (Holt) of bodies: a level and a trend (velocity, angular velocity for rotations)."""

from __future__ import annotations

from functools import partial

import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.motion import BodyMotion
from remi_stream.filters.single_exp import smoothing_factor
from remi_stream.filters.tracks import TrackFilter


class DoubleExponentialSmoother:
    """A Smoother. time_s, trend_time_s: time constants of level and trend, s. The betas have no trend."""

    def __init__(self, first: BodyMotion, time_s: float, trend_time_s: float) -> None:
        self._level = first
        self._angular_velocity, self._velocity = np.zeros((len(first.rotations), 3)), np.zeros_like(first.positions)
        self._time_s, self._trend_time_s = time_s, trend_time_s

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        before, alpha, beta = self._level, smoothing_factor(dt, self._time_s), smoothing_factor(dt, self._trend_time_s)
        predicted = quaternion.rotate_quaternions(before.rotations, self._angular_velocity * dt)
        turns = quaternion.rotate_quaternions(predicted, alpha * quaternion.quaternion_difference(predicted, motion.rotations))
        places = before.positions + self._velocity * dt
        places = places + alpha * (motion.positions - places)
        self._angular_velocity += beta * (quaternion.quaternion_difference(before.rotations, turns) / dt - self._angular_velocity)
        self._velocity += beta * ((places - before.positions) / dt - self._velocity)
        self._level = BodyMotion(turns, places, before.betas + alpha * (motion.betas - before.betas))
        return self._level


def make_double_exponential_filter(time_s: float, trend_time_s: float) -> TrackFilter:
    """Make a double exponential filter. Uniform motion has no lag once the trend has converged, so no lag is stated."""
    return TrackFilter("double_exp", partial(DoubleExponentialSmoother, time_s=time_s, trend_time_s=trend_time_s), None)
