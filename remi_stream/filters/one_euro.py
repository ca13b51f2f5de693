"""One-Euro filter for bodies: a low-pass filter whose cutoff grows with speed (Casiez et al., "1 Euro Filter", 2012).

Each joint rotation has its own filtered angular velocity and is interpolated by slerp; each position has its own velocity. In
addition the last result is extrapolated by a share (`lead`) of that velocity before the new value is mixed in: without it no
parameters reduced the acceleration error by 60 % with at most half a frame of lag (tests/filters/test_one_euro_tuning.py).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.low_pass import gain
from remi_stream.filters.motion import Motion
from remi_stream.filters.tracks import TrackFilter


class Tuning(NamedTuple):
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


class OneEuro:
    """A Smoother with the One-Euro filter."""

    def __init__(self, first: Motion, tuning: Tuning) -> None:
        self._last, self._parameters = first, tuning
        self._angular_velocity = np.zeros((len(first.turns), 3))
        self._velocity = np.zeros_like(first.places)

    def step(self, motion: Motion, dt: float) -> Motion:
        """Smooth one motion, dt seconds after the last one."""
        last, d_gain = self._last, gain(dt, self._parameters.d_cutoff)
        betas = last.shape + gain(dt, self._parameters.shape_cutoff) * (motion.shape - last.shape)
        self._last = Motion(self._rotations(motion.turns, dt, d_gain), self._positions(motion.places, dt, d_gain), betas)
        return self._last

    def _rotations(self, rotations: np.ndarray, dt: float, d_gain: float) -> np.ndarray:
        if not len(rotations):
            return rotations
        predicted = quaternion.turned(self._last.turns, self._angular_velocity * (self._parameters.lead * dt))
        self._angular_velocity += d_gain * (quaternion.difference(self._last.turns, rotations) / dt - self._angular_velocity)
        gains = self._gain(self._angular_velocity, self._parameters.beta_turn, dt)
        return quaternion.turned(predicted, gains * quaternion.difference(predicted, rotations))

    def _positions(self, positions: np.ndarray, dt: float, d_gain: float) -> np.ndarray:
        predicted = self._last.places + self._velocity * (self._parameters.lead * dt)
        self._velocity += d_gain * ((positions - self._last.places) / dt - self._velocity)
        return predicted + self._gain(self._velocity, self._parameters.beta_move, dt) * (positions - predicted)

    def _gain(self, velocities: np.ndarray, beta: float, dt: float) -> np.ndarray:
        """Low-pass gains (N, 1) for velocities (N, 3)."""
        return gain(dt, self._parameters.min_cutoff + beta * np.sqrt((velocities * velocities).sum(-1, keepdims=True)))


def open_filter(**options: float) -> TrackFilter:
    """Make a One-Euro filter; options: the fields of Tuning."""
    return TrackFilter("one_euro", partial(OneEuro, tuning=Tuning(**options)), None)
