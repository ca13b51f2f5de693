"""Compare two files of measurements by condition and quantity, with Student's t-test for which is better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from remi_stream.errors import UsageError
from remi_stream.measure.measurements import ConditionStats, Measurements
from remi_stream.measure.quantities import MeasurementKind, Quantity
from remi_stream.measure.window import NAN

MIN_RELATIVE_DIFFERENCE = 0.01
"""Smallest relative difference that counts: measurements are not more exact than that, however steady."""
CONFIDENCE = 0.95
"""Confidence level of the t-test: of equal means, one in twenty is reported as different."""


class ComparedQuantity(NamedTuple):
    """One quantity under one condition."""

    quantity: Quantity
    first: float
    """Mean of the first file; NaN if it has none."""
    second: float
    """Mean of the second file; NaN if it has none."""
    margin: float = 0.0
    """Largest difference of equal means at the confidence level, from the spread of the rows."""

    @property
    def difference(self) -> float:
        """Return second - first."""
        return self.second - self.first

    @property
    def ratio(self) -> float:
        """Return second / first; NaN if that is not meaningful."""
        return self.second / self.first if self.first > 0 and self.second >= 0 else NAN

    @property
    def better(self) -> int | None:
        """Return the index of the better file, 0 or 1; None if the difference is not significant or below 1 %."""
        threshold = max(self.margin, MIN_RELATIVE_DIFFERENCE * max(abs(self.first), abs(self.second)))
        if not self.quantity.better or not abs(self.difference) > threshold:
            return None
        return int((self.difference > 0) == (self.quantity.better == "higher"))


class ComparedCondition(NamedTuple):
    """One condition."""

    condition: str
    rows: tuple[int, int]
    """Rows of the condition in each file."""
    quantities: tuple[ComparedQuantity, ...]
    """One per quantity."""


class Comparison(NamedTuple):
    """The comparison of two files."""

    kind: MeasurementKind
    names: tuple[str, str]
    """Names of the files."""
    conditions: tuple[ComparedCondition, ...]


def compare_measurements(first: Measurements, second: Measurements, names: tuple[str, str]) -> Comparison:
    """Compare two files. Raises UsageError if they are of different kinds."""
    if first.kind is not second.kind:
        raise UsageError(
            f"{first.path} has measurements of {first.kind.name}, {second.path} of {second.kind.name}. "
            "Compare files of the same kind."
        )
    count = len(first.kind.quantities)
    missing = ConditionStats(0, (NAN,) * count, (0,) * count, (0.0,) * count)
    chapters = []
    for condition in dict.fromkeys([*first.conditions, *second.conditions]):
        a, b = (each.conditions.get(condition, missing) for each in (first, second))
        lines = tuple(map(ComparedQuantity, first.kind.quantities, a.means, b.means, chance_margins(a, b)))
        chapters.append(ComparedCondition(condition, (a.rows, b.rows), lines))
    return Comparison(first.kind, names, tuple(chapters))


def chance_margins(first: ConditionStats, second: ConditionStats) -> Iterator[float]:
    """Yield, per quantity, the largest difference of equal means: Student's t-test with pooled variance.

    0 if neither file has two rows, since the spread is then unknown.
    """
    for n, m, squares in zip(first.counts, second.counts, np.add(first.squared_deviations, second.squared_deviations)):
        degrees = max(n - 1, 0) + max(m - 1, 0)
        if not n or not m or not degrees:
            yield 0.0
        else:
            yield float(stdtrit(degrees, (1 + CONFIDENCE) / 2) * np.sqrt(squares / degrees * (1 / n + 1 / m)))
