"""Rows of the report: error of a computed array against the golden one, and its tolerance.

A group of `preprocess.npz` is one module, `group_<name>.py`, with

    GROUP = "rot"                                   # the keys' first dotted part
    def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]: ...

entries contains all arrays of the npz, also of other groups. A row covers the entry of its name; a suffix "[...]" distinguishes
several rows of one entry. An entry `*.out.*` of the group without a row counts as missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Entries = Mapping[str, np.ndarray]


class Row(NamedTuple):
    """One comparison."""

    name: str
    """Of the entry."""
    error: float
    """Largest error, in the entry's unit."""
    tolerance: float
    rule: str = ""
    """Kind of the tolerance, in a few words."""

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; NaN is not."""
        return self.error <= self.tolerance

    @property
    def entry(self) -> str:
        """Name of the npz entry that this row covers."""
        return re.sub(r" \[[^\]]*\]$", "", self.name)


def compare(name: str, got: ArrayLike, expected: ArrayLike, tolerance: float, relative: float = 0.0) -> Row:
    """Compare arrays with the tolerance `tolerance + relative * |expected|` per element; the row has the worst element.

    A different shape is an infinite error. Tolerance 0 is an exact comparison (integers, bytes). Masked elements of `got` are
    skipped and counted in the row's rule.
    """
    undecided = np.ma.getmaskarray(np.ma.asanyarray(got)).ravel()
    got, expected = np.asarray(got), np.asarray(expected)
    rule = f"+ {relative:g} relative" if relative else "absolute"
    if got.shape != expected.shape:
        return Row(name, math.inf, tolerance, f"shape {got.shape} instead of {expected.shape}")
    if not expected.size:
        return Row(name, 0.0, tolerance, rule)
    if undecided.any():
        rule += f", {undecided.sum()} of {undecided.size} undecided"
    error = np.abs(got.astype(np.float64) - expected.astype(np.float64)).ravel()
    error[undecided] = 0
    allowed = tolerance + relative * np.abs(expected.astype(np.float64)).ravel()
    excess = np.where(np.isnan(error), np.inf, error / np.maximum(allowed, 1e-300))
    worst = int(excess.argmax())
    return Row(name, float(error[worst]), float(allowed[worst]), rule)


def same(name: str, got: object, expected: object) -> Row:
    """Compare objects other than arrays for equality."""
    return Row(name, 0.0 if got == expected else math.inf, 0.0, "equal")


def missing(name: str, why: str) -> Row:
    """Make the row of an expected result that is absent or could not be computed."""
    return Row(name, math.nan, 0.0, f"missing: {why}")


def uncovered(entries: Iterable[str], rows: Iterable[Row]) -> Iterator[Row]:
    """Make a missing row for each entry `*.out.*` or `*.probe.*` that no row covers."""
    covered = {row.entry for row in rows}
    for entry in entries:
        if re.search(r"(^|\.)(out|probe)\.", entry) and entry not in covered:
            yield missing(entry, "no row covers it")
