"""The last seconds of what was measured, and their means."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import cast

import numpy as np

WINDOW_S = 5.0
NAN = math.nan
"""A value that could not be measured; means leave it out."""


class Window:
    """Rows of values with the time of each, the last `rows` of them; every row has the same number of values."""

    def __init__(self, rows: int) -> None:
        self._rows: deque[tuple[float, Sequence[float]]] = deque(maxlen=rows)

    def add(self, at: float, values: Sequence[float]) -> None:
        """Keep a row that was measured at this time, s."""
        self._rows.append((at, values))

    def columns(self, now: float) -> list[list[float]]:
        """The values of the last five seconds before now, column by column, without those that are no numbers."""
        rows = [values for at, values in self._rows if at >= now - WINDOW_S]
        return [[value for value in column if not math.isnan(value)] for column in zip(*rows)]

    def means(self, now: float) -> list[float]:
        """The mean of each column, in the type of its values (float32 stays float32); NaN where nothing is left."""
        return [cast(float, np.mean(column)) if column else NAN for column in self.columns(now)]
