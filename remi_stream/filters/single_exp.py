"""Exponential smoothing of bodies, with a time constant in place of a factor per frame."""

from __future__ import annotations

import math
from functools import partial

from remi_stream.filters import quaternion
from remi_stream.filters.motion import BodyMotion
from remi_stream.filters.tracks import TrackFilter


class SingleExponentialSmoother:
    """A Smoother. time_s: time constant, s; REMI's alpha is 1 - exp(-dt / time_s)."""

    def __init__(self, first: BodyMotion, time_s: float) -> None:
        self._last, self._time_s = first, time_s

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        last, alpha = self._last, smoothing_factor(dt, self._time_s)
        self._last = BodyMotion(
            quaternion.rotate_quaternions(
                last.rotations, alpha * quaternion.quaternion_difference(last.rotations, motion.rotations)
            ),
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
