"""Exponential smoothing of bodies, with a time constant in place of a factor per frame."""

from __future__ import annotations

import math
from functools import partial

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion
from remi_stream.filters.tracks import TrackFilter


class SingleExponential:
    """A Smoother. time_s: time constant, s; REMI's alpha is 1 - exp(-dt / time_s)."""

    def __init__(self, first: Motion, time_s: float) -> None:
        self._last, self._time_s = first, time_s

    def step(self, motion: Motion, dt: float) -> Motion:
        """Smooth one motion, dt seconds after the last one."""
        last, alpha = self._last, share(dt, self._time_s)
        self._last = Motion(
            quaternion.turned(last.turns, alpha * quaternion.difference(last.turns, motion.turns)),
            last.places + alpha * (motion.places - last.places),
            last.shape + alpha * (motion.shape - last.shape),
        )
        return self._last


def share(dt: float, time_s: float) -> float:
    """Smoothing factor alpha for a time step dt, s, in (0, 1]."""
    return 1 - math.exp(-dt / time_s) if time_s else 1.0


def open_filter(time_s: float) -> TrackFilter:
    """Make an exponential filter; time_s: time constant, s."""
    return TrackFilter("single_exp", partial(SingleExponential, time_s=time_s), time_s)
