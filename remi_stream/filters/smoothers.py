"""Identity filter: no smoothing."""

from __future__ import annotations

import math
from collections import deque
from functools import partial

import numpy as np

from remi_stream import geometry
from remi_stream.filters.track_filter import BodyMotion, TrackFilter
from remi_stream.messages import Person


class IdentityFilter:
    """A Filter that returns its input."""

    name = "none"
    lag_s = 0.0

    def filter(self, person: Person, captured_at: float) -> Person:
        """Return the person unchanged."""
        return person

    def forget(self, track_id: int) -> None:
        """Do nothing: there is no state."""


def make_identity_filter() -> IdentityFilter:
    """Make the identity filter."""
    return IdentityFilter()


# Moving average of bodies over a time window.


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
        return BodyMotion(geometry.mean_quaternions(turns), places.mean(0), shapes.mean(0))


def make_moving_average_filter(window_s: float) -> TrackFilter:
    """Make a moving average filter; window_s: length of the window, s."""
    return TrackFilter("moving_avg", partial(MovingAverageSmoother, window_s=window_s), window_s / 2)


# Exponential smoothing of bodies, with a time constant in place of a factor per frame.


class SingleExponentialSmoother:
    """A Smoother. time_s: time constant, s; REMI's alpha is 1 - exp(-dt / time_s)."""

    def __init__(self, first: BodyMotion, time_s: float) -> None:
        self._last, self._time_s = first, time_s

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        last, alpha = self._last, smoothing_factor(dt, self._time_s)
        self._last = BodyMotion(
            geometry.rotate_quaternions(last.rotations, alpha * geometry.quaternion_difference(last.rotations, motion.rotations)),
            last.positions + alpha * (motion.positions - last.positions),
            last.betas + alpha * (motion.betas - last.betas),
        )
        return self._last


def smoothing_factor(dt: float, time_s: float) -> float:
    """Smoothing factor alpha for a time step dt, s, in (0, 1]."""
    return 1 - math.exp(-dt / time_s) if time_s else 1.0


def make_single_exponential_filter(time_s: float) -> TrackFilter:
    """Make an exponential filter; time_s: time constant, s."""
    return TrackFilter("single_exp", partial(SingleExponentialSmoother, time_s=time_s), time_s)


# Double exponential smoothing (Holt) of bodies: a level and a trend (velocity, angular velocity for rotations).


class DoubleExponentialSmoother:
    """A Smoother. time_s, trend_time_s: time constants of level and trend, s. The betas have no trend."""

    def __init__(self, first: BodyMotion, time_s: float, trend_time_s: float) -> None:
        self._level = first
        self._angular_velocity, self._velocity = np.zeros((len(first.rotations), 3)), np.zeros_like(first.positions)
        self._time_s, self._trend_time_s = time_s, trend_time_s

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        before, alpha, beta = self._level, smoothing_factor(dt, self._time_s), smoothing_factor(dt, self._trend_time_s)
        predicted = geometry.rotate_quaternions(before.rotations, self._angular_velocity * dt)
        turns = geometry.rotate_quaternions(predicted, alpha * geometry.quaternion_difference(predicted, motion.rotations))
        places = before.positions + self._velocity * dt
        places = places + alpha * (motion.positions - places)
        self._angular_velocity += beta * (geometry.quaternion_difference(before.rotations, turns) / dt - self._angular_velocity)
        self._velocity += beta * ((places - before.positions) / dt - self._velocity)
        self._level = BodyMotion(turns, places, before.betas + alpha * (motion.betas - before.betas))
        return self._level


def make_double_exponential_filter(time_s: float, trend_time_s: float) -> TrackFilter:
    """Make a double exponential filter. Uniform motion has no lag once the trend has converged, so no lag is stated."""
    return TrackFilter("double_exp", partial(DoubleExponentialSmoother, time_s=time_s, trend_time_s=trend_time_s), None)
