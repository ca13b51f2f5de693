"""Compare two files of measurements by condition and quantity, with Student's t-test for which is better."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from remi_stream.errors import UsageError
from remi_stream.measure.kinematics import NAN
from remi_stream.measure.table import MEASUREMENT_KINDS, MeasurementKind, Quantity, kind_from_columns

CONDITION_COLUMN = 1
"""Index of the column with the condition."""
EXPECTED_FILE_HINT = "Give a file of measurements, as remi-stream measure --csv writes them"


class ConditionStats(NamedTuple):
    """Statistics of the rows of one condition, per quantity of the kind."""

    rows: int
    means: tuple[float, ...]
    """NaN if no row has a value."""
    counts: tuple[int, ...]
    """Number of rows with a value."""
    squared_deviations: tuple[float, ...]
    """Sum of squared deviations from the mean."""


class Measurements(NamedTuple):
    """The content of one file."""

    path: Path
    kind: MeasurementKind
    conditions: dict[str, ConditionStats]
    """In order of first appearance."""
    incomplete_lines: tuple[int, ...]
    """Numbers of incomplete lines, which are skipped."""


def read_measurements(path: Path) -> Measurements:
    """Read a file of any kind, recognised by its header. Raises UsageError for another file, or one without rows."""
    try:
        # utf-8-sig: spreadsheets write a byte order mark, which would be part of the first column's name
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = tuple(next(reader, ()))
            lines = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}. {EXPECTED_FILE_HINT}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is not a CSV file: {error}. {EXPECTED_FILE_HINT}") from None
    kind = kind_from_columns(header)
    if kind is None:
        known = ", ".join(f"{each.name} ({len(each.columns)} columns)" for each in MEASUREMENT_KINDS)
        raise UsageError(
            f"{path} does not have the columns of measurements (it has {len(header)}). Known: {known}. {EXPECTED_FILE_HINT}"
        )
    return _measurements(path, kind, lines)


def _measurements(path: Path, kind: MeasurementKind, lines: list[tuple[int, list[str]]]) -> Measurements:
    rows: dict[str, list[list[float]]] = {}
    incomplete = []
    for number, cells in lines:
        # torn by a crash: the other rows still count
        if len(cells) != len(kind.columns):
            incomplete.append(number)
            continue
        rows.setdefault(cells[CONDITION_COLUMN], []).append([_value(path, number, cell) for cell in cells[kind.text_columns :]])
    if not rows:
        raise UsageError(f"{path} has no rows. Measure something: remi-stream measure --csv {path}")
    conditions = {name: _condition(values) for name, values in rows.items()}
    return Measurements(path, kind, conditions, tuple(incomplete))


def _value(path: Path, number: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise UsageError(f"{path}, line {number}: {cell!r:.40} is not a number. Correct or remove the line.") from None
    return value if math.isfinite(value) else NAN


def _condition(rows: list[list[float]]) -> ConditionStats:
    columns = [[value for value in column if value == value] for column in zip(*rows)]
    means = tuple(float(np.mean(column)) if column else NAN for column in columns)
    squares = tuple(float(np.sum((np.array(column) - mean) ** 2)) for column, mean in zip(columns, means))
    return ConditionStats(len(rows), means, tuple(map(len, columns)), squares)


MIN_RELATIVE_DIFFERENCE = 0.01
"""Smallest relative difference that counts, however small the spread of the rows."""
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

    @property
    def is_tested(self) -> bool:
        """Return whether a file has the two rows that show how much they vary."""
        return max(self.rows) > 1


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
    conditions = []
    for condition in dict.fromkeys([*first.conditions, *second.conditions]):
        a, b = (each.conditions.get(condition, missing) for each in (first, second))
        lines = tuple(map(ComparedQuantity, first.kind.quantities, a.means, b.means, chance_margins(a, b)))
        conditions.append(ComparedCondition(condition, (a.rows, b.rows), lines))
    return Comparison(first.kind, names, tuple(conditions))


def chance_margins(first: ConditionStats, second: ConditionStats) -> Iterator[float]:
    """Yield, per quantity, the largest difference of equal means: Student's t-test with pooled variance.

    Infinite if neither file has two rows: the spread is then unknown, and nothing can be tested.
    """
    for n, m, squares in zip(first.counts, second.counts, np.add(first.squared_deviations, second.squared_deviations)):
        degrees = max(n - 1, 0) + max(m - 1, 0)
        if not n or not m or not degrees:
            yield math.inf
        else:
            yield float(stdtrit(degrees, (1 + CONFIDENCE) / 2) * np.sqrt(squares / degrees * (1 / n + 1 / m)))
