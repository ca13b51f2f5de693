"""REMI's filters: of one vector (a pose's 69 angles, a translation), element by element, float64, and of a packet's four vectors.

They treat rotation vectors as plain numbers, so poses near half a turn come out wrong. Only the parity check uses them;
pipelines use the filters of `remi_stream/filters`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from remi_stream.filters.registry import FilterPreset
from remi_stream.filters.smoothers import low_pass_gain

MIN_STEP_S = 1e-9
"""Packets that are closer in time count as one, s."""


class StreamFilter(Protocol):
    """A filter of one vector over time; made from the first vector, which may be passed to `step` again."""

    def step(self, x: np.ndarray, received_at: float) -> np.ndarray:
        """Filter x (N,) float64. received_at: time of reception, s."""
        ...


class IdentityStream:
    """Identity."""

    def __init__(self, first: np.ndarray, at: float) -> None:
        pass

    def step(self, x: np.ndarray, received_at: float) -> np.ndarray:
        """Return x."""
        return x


class OneEuroStream:
    """One-Euro filter (Casiez et al., 2012) with one speed for the whole vector: the norm of its filtered derivative.

    min_cutoff, d_cutoff: Hz; beta: Hz per unit of speed. The derivative is taken from the last filtered vector.
    """

    def __init__(self, first: np.ndarray, at: float, min_cutoff: float, beta: float, d_cutoff: float) -> None:
        self._x, self._dx, self._at = first, np.zeros_like(first), at
        self._min_cutoff, self._beta, self._d_cutoff = min_cutoff, beta, d_cutoff

    def step(self, x: np.ndarray, received_at: float) -> np.ndarray:
        """Filter x; the last result again if the time has not advanced."""
        dt = received_at - self._at
        if dt <= MIN_STEP_S:
            return self._x
        self._dx = self._dx + low_pass_gain(dt, self._d_cutoff) * ((x - self._x) / dt - self._dx)
        cutoff = self._min_cutoff + self._beta * math.sqrt(self._dx @ self._dx)
        self._x = self._x + low_pass_gain(dt, cutoff) * (x - self._x)
        self._at = received_at
        return self._x


class SingleExponentialStream:
    """Exponential smoothing. alpha: weight of the new vector, independent of time."""

    def __init__(self, first: np.ndarray, at: float, alpha: float) -> None:
        self._x, self._alpha = first, alpha

    def step(self, x: np.ndarray, received_at: float) -> np.ndarray:
        """Filter x."""
        self._x = self._alpha * x + (1 - self._alpha) * self._x
        return self._x


class DoubleExponentialStream:
    """Double exponential smoothing (Holt). alpha: weight of the new vector in the level; beta_trend: of its step in the trend."""

    def __init__(self, first: np.ndarray, at: float, alpha: float, beta_trend: float) -> None:
        self._level, self._trend = first, np.zeros_like(first)
        self._alpha, self._beta = alpha, beta_trend

    def step(self, x: np.ndarray, received_at: float) -> np.ndarray:
        """Filter x: the new level."""
        before = self._level
        self._level = self._alpha * x + (1 - self._alpha) * (before + self._trend)
        self._trend = self._beta * (self._level - before) + (1 - self._beta) * self._trend
        return self._level


class MovingAverageStream:
    """Mean of the last window_size vectors; the window starts filled with the first one."""

    def __init__(self, first: np.ndarray, at: float, window_size: int) -> None:
        self._window = deque([first] * int(window_size), int(window_size))

    def step(self, x: np.ndarray, received_at: float) -> np.ndarray:
        """Filter x: the mean of the window."""
        self._window.append(x)
        return np.mean(self._window, axis=0)


STREAM_FILTERS: dict[str, Any] = {
    "none": IdentityStream,
    "one_euro": OneEuroStream,
    "single_exp": SingleExponentialStream,
    "double_exp": DoubleExponentialStream,
    "moving_avg": MovingAverageStream,
}
"""REMI's filters of one vector, by kind."""


class PacketFilter:
    """Filters the packets of one person as REMI's relay does; a stream's filter is reset when its shape changes."""

    def __init__(self, preset: FilterPreset) -> None:
        self._preset = preset
        self._filters: dict[str, tuple[tuple[int, ...], StreamFilter]] = {}

    def step(self, packet: Mapping[str, np.ndarray], received_at: float) -> dict[str, np.ndarray]:
        """Filter the streams of a packet, to float64. received_at: time of reception, s."""
        return {name: self._filter(name, np.asarray(x, np.float64), received_at) for name, x in packet.items()}

    def _filter(self, name: str, x: np.ndarray, at: float) -> np.ndarray:
        shape, stream = self._filters.get(name, (None, None))
        if stream is None or shape != x.shape:
            stream = self._open(name, x, at)
            self._filters[name] = x.shape, stream
        return stream.step(x.ravel(), at).reshape(x.shape)

    def _open(self, name: str, x: np.ndarray, at: float) -> StreamFilter:
        parameters = self._preset.streams.get(name)
        if parameters is None:
            return IdentityStream(x, at)
        stream: StreamFilter = STREAM_FILTERS[self._preset.kind](x.ravel().copy(), at, **parameters)
        return stream
