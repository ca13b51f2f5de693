"""Exponential smoothing of bodies: every frame takes the same share of the way to what is seen, by the time since the last."""

from __future__ import annotations

import math
from functools import partial

from remi_stream.filters import quaternion
from remi_stream.filters.motion import Motion
from remi_stream.filters.tracks import TrackFilter


class SingleExponential:
    """A Smoother. time_s: after it 63 % of a step has come through; alpha of REMI's is 1 - exp(-dt / time_s)."""

    def __init__(self, first: Motion, time_s: float) -> None:
        self._last, self._time_s = first, time_s

    def step(self, motion: Motion, dt: float) -> Motion:
        """The smoothed motion."""
        last, alpha = self._last, share(dt, self._time_s)
        self._last = Motion(
            quaternion.turned(last.turns, alpha * quaternion.difference(last.turns, motion.turns)),
            last.places + alpha * (motion.places - last.places),
            last.shape + alpha * (motion.shape - last.shape),
        )
        return self._last


def share(dt: float, time_s: float) -> float:
    """How much of the way is gone after dt seconds, in (0, 1]."""
    return 1 - math.exp(-dt / time_s) if time_s else 1.0


def open_filter(time_s: float) -> TrackFilter:
    """Make it."""
    return TrackFilter("single_exp", partial(SingleExponential, time_s=time_s), time_s)
