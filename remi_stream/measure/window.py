"""The last seconds of what was measured, and their means."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import cast

import numpy as np

WINDOW_S = 5.0
"""REMI's, and what is measured over if nothing else is asked for."""
NAN = math.nan
"""A value that could not be measured; means leave it out."""


class Window:
    """Rows of values with the time of each, the last `rows` of them; every row has the same number of values."""

    def __init__(self, rows: int, seconds: float = WINDOW_S) -> None:
        self._rows: deque[tuple[float, Sequence[float]]] = deque(maxlen=rows)
        self._seconds = seconds

    def add(self, at: float, values: Sequence[float]) -> None:
        """Keep a row that was measured at this time, s."""
        self._rows.append((at, values))

    def columns(self, now: float) -> list[list[float]]:
        """The values of the last seconds before now, column by column, without those that are no numbers."""
        rows = [values for at, values in self._rows if at >= now - self._seconds]
        return [[value for value in column if not math.isnan(value)] for column in zip(*rows)]

    def means(self, now: float) -> list[float]:
        """The mean of each column, in the type of its values (float32 stays float32); NaN where nothing is left."""
        return [cast(float, np.mean(column)) if column else NAN for column in self.columns(now)]
