"""Read a CSV file of measurements, with the means of its rows by condition."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.measure.quantities import MEASUREMENT_KINDS, MeasurementKind, kind_from_columns
from remi_stream.measure.window import NAN

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
