"""REMI's filters: each of one stream of numbers (a pose's 69 angles, a translation, ...), number by number.

They treat rotation vectors as plain numbers, so near half a turn they show poses that nobody had. They are here to compare
with; what a pipeline filters bodies with is in filter.py. All states are float64.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import numpy as np

from remi_stream.filters.low_pass import gain

SHORTEST_S = 1e-9
"""Packets that are not further apart count as one."""


class Stream(Protocol):
    """The filter of one stream; it is made from the stream's first vector, and may then be given that one too."""

    def step(self, x: np.ndarray, at: float) -> np.ndarray:
        """The filtered vector of x (N,) float64, received at this time, s."""
        ...


class Unfiltered:
    """What comes in goes out."""

    def __init__(self, first: np.ndarray, at: float) -> None:
        pass

    def step(self, x: np.ndarray, at: float) -> np.ndarray:
        """x itself."""
        return x


class OneEuro:
    """Casiez et al., "1 Euro Filter" (2012), with one speed for the whole vector: the length of its filtered derivative.

    min_cutoff, d_cutoff: Hz; beta: Hz per unit of speed. The derivative starts at the last filtered vector.
    """

    def __init__(self, first: np.ndarray, at: float, min_cutoff: float, beta: float, d_cutoff: float) -> None:
        self._x, self._dx, self._at = first, np.zeros_like(first), at
        self._min_cutoff, self._beta, self._d_cutoff = min_cutoff, beta, d_cutoff

    def step(self, x: np.ndarray, at: float) -> np.ndarray:
        """The filtered vector; the last one again while time stands still."""
        dt = at - self._at
        if dt <= SHORTEST_S:
            return self._x
        self._dx = self._dx + gain(dt, self._d_cutoff) * ((x - self._x) / dt - self._dx)
        cutoff = self._min_cutoff + self._beta * math.sqrt(self._dx @ self._dx)
        self._x = self._x + gain(dt, cutoff) * (x - self._x)
        self._at = at
        return self._x


class SingleExponential:
    """alpha: the share of the new vector, whatever the time between two."""

    def __init__(self, first: np.ndarray, at: float, alpha: float) -> None:
        self._x, self._alpha = first, alpha

    def step(self, x: np.ndarray, at: float) -> np.ndarray:
        """The filtered vector."""
        self._x = self._alpha * x + (1 - self._alpha) * self._x
        return self._x


class DoubleExponential:
    """Holt's linear trend: alpha is the new vector's share of the level, beta_trend the level's step's share of the trend."""

    def __init__(self, first: np.ndarray, at: float, alpha: float, beta_trend: float) -> None:
        self._level, self._trend = first, np.zeros_like(first)
        self._alpha, self._beta = alpha, beta_trend

    def step(self, x: np.ndarray, at: float) -> np.ndarray:
        """The level."""
        before = self._level
        self._level = self._alpha * x + (1 - self._alpha) * (before + self._trend)
        self._trend = self._beta * (self._level - before) + (1 - self._beta) * self._trend
        return self._level


class MovingAverage:
    """The mean of the last window_size vectors; before the first there were as many like it."""

    def __init__(self, first: np.ndarray, at: float, window_size: int) -> None:
        self._window = deque([first] * int(window_size), int(window_size))

    def step(self, x: np.ndarray, at: float) -> np.ndarray:
        """The mean."""
        self._window.append(x)
        return np.mean(self._window, axis=0)
