"""One-Euro filter for bodies: a low-pass filter whose cutoff grows with speed (Casiez et al., "1 Euro Filter", 2012).

Each joint rotation has its own filtered angular velocity and is interpolated by slerp; each position has its own velocity. In
addition the last result is extrapolated by a share (`lead`) of that velocity before the new value is mixed in: without it no
parameters reduced the acceleration error by 60 % with at most half a frame of lag (tests/filters/test_one_euro_tuning.py).
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from remi_stream import geometry
from remi_stream.filters.track_filter import BodyMotion, TrackFilter

# First-order low-pass filter: the gain of a new value (Casiez et al., "1 Euro Filter", 2012).


Number = TypeVar("Number", float, np.ndarray)


def low_pass_gain(dt: float, cutoff: Number) -> Number:
    """Weight of the new value, in [0, 1). dt: s since the last value; cutoff: Hz, scalar or array."""
    r = 2 * math.pi * dt * cutoff
    return r / (r + 1)


class OneEuroParameters(NamedTuple):
    """Parameters of the One-Euro filter."""

    min_cutoff: float
    """Cutoff at rest, Hz."""
    beta_turn: float
    """Growth of the cutoff with angular speed, Hz per rad/s."""
    beta_move: float
    """Growth of the cutoff with speed, Hz per m/s."""
    d_cutoff: float
    """Cutoff of the velocities, Hz."""
    shape_cutoff: float
    """Cutoff of the betas, Hz, independent of speed."""
    lead: float
    """Share of the velocity by which the last result is extrapolated; 0: the published filter."""


class OneEuroSmoother:
    """A Smoother with the One-Euro filter."""

    def __init__(self, first: BodyMotion, tuning: OneEuroParameters) -> None:
        self._last, self._parameters = first, tuning
        self._angular_velocity = np.zeros((len(first.rotations), 3))
        self._velocity = np.zeros_like(first.positions)

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        last, d_gain = self._last, low_pass_gain(dt, self._parameters.d_cutoff)
        betas = last.betas + low_pass_gain(dt, self._parameters.shape_cutoff) * (motion.betas - last.betas)
        self._last = BodyMotion(
            self._rotations(motion.rotations, dt, d_gain), self._positions(motion.positions, dt, d_gain), betas
        )
        return self._last

    def _rotations(self, rotations: np.ndarray, dt: float, d_gain: float) -> np.ndarray:
        if not len(rotations):
            return rotations
        predicted = geometry.rotate_quaternions(self._last.rotations, self._angular_velocity * (self._parameters.lead * dt))
        self._angular_velocity += d_gain * (
            geometry.quaternion_difference(self._last.rotations, rotations) / dt - self._angular_velocity
        )
        gains = self._gain(self._angular_velocity, self._parameters.beta_turn, dt)
        return geometry.rotate_quaternions(predicted, gains * geometry.quaternion_difference(predicted, rotations))

    def _positions(self, positions: np.ndarray, dt: float, d_gain: float) -> np.ndarray:
        predicted = self._last.positions + self._velocity * (self._parameters.lead * dt)
        self._velocity += d_gain * ((positions - self._last.positions) / dt - self._velocity)
        return predicted + self._gain(self._velocity, self._parameters.beta_move, dt) * (positions - predicted)

    def _gain(self, velocities: np.ndarray, beta: float, dt: float) -> np.ndarray:
        """Low-pass gains (N, 1) for velocities (N, 3)."""
        return low_pass_gain(dt, self._parameters.min_cutoff + beta * np.sqrt((velocities * velocities).sum(-1, keepdims=True)))


def make_one_euro_filter(**options: float) -> TrackFilter:
    """Make a One-Euro filter; options: the fields of Tuning."""
    return TrackFilter("one_euro", partial(OneEuroSmoother, tuning=OneEuroParameters(**options)), None)
