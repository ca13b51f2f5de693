"""Compares rows of CSV files cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

import numpy as np

from parity.rows import Row, compare, same

SINGLE = 5e-7
"""Relative tolerance of a mean in single precision: the last digit may depend on the processor."""


def split(line: str) -> list[str]:
    """Split a CSV line into cells."""
    return next(csv.reader([line]))


def cell_rows(name: str, got: Sequence[str], expected: Sequence[str]) -> Iterator[Row]:
    """Compare the texts exactly (double precision has four decimals) and single-precision numbers with a tolerance."""
    single = [k for k, cell in enumerate(expected) if is_single(cell)]
    yield same(f"{name} [text]", without(got, single), without(expected, single))
    if single and len(got) == len(expected):
        yield same(f"{name} [shortest form]", [is_single(got[k]) for k in single], [True] * len(single))
        yield compare(f"{name} [single]", [float(got[k]) for k in single], [float(expected[k]) for k in single], 0, SINGLE)


def without(cells: Sequence[str], left_out: Sequence[int]) -> list[str]:
    """The cells at all other positions."""
    return [cell for k, cell in enumerate(cells) if k not in left_out]


def is_single(cell: str) -> bool:
    """Whether a cell is a number in single precision in its shortest unique form."""
    try:
        return cell == str(np.float32(cell)) and cell != f"{float(cell):.4f}" and cell.lower() != "nan"
    except ValueError:
        return False
