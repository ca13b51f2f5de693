"""A sliding window of measured values, and their means."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import cast

import numpy as np

WINDOW_S = 5.0
"""Default length of the window; REMI's."""
NAN = math.nan
"""A value that could not be measured; means ignore it."""


class SlidingWindow:
    """The last `rows` rows of values with their times; every row has the same number of values."""

    def __init__(self, rows: int, seconds: float = WINDOW_S) -> None:
        self._rows: deque[tuple[float, Sequence[float]]] = deque(maxlen=rows)
        self._seconds = seconds

    def add(self, at: float, values: Sequence[float]) -> None:
        """Add a row measured at this time, s."""
        self._rows.append((at, values))

    def columns(self, now: float) -> list[list[float]]:
        """Return the values of the last seconds before now by column, without NaN."""
        rows = [values for at, values in self._rows if at >= now - self._seconds]
        return [[value for value in column if not math.isnan(value)] for column in zip(*rows)]

    def means(self, now: float) -> list[float]:
        """Return the mean of each column, in its values' dtype (float32 stays float32); NaN without values."""
        return [cast(float, np.mean(column)) if column else NAN for column in self.columns(now)]
