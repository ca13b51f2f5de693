"""One row of the report: how far a computed array is from the golden one, and how far it may be.

A group of `preprocess.npz` is one file beside this one, `group_<name>.py`, with

    GROUP = "rot"                                   # the keys' first dotted part
    def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]: ...

entries holds every array of the npz, also those of other groups. A row covers the entry that it is named after; "[...]" behind
the name tells several rows of one entry apart. An entry `*.out.*` of the group without a row counts as missing.
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
    """A comparison. name: the entry's; error, tolerance: in the entry's own unit; rule: what the tolerance is, in two words."""

    name: str
    error: float
    tolerance: float
    rule: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error is small enough; an error that is no number is not."""
        return self.error <= self.tolerance

    @property
    def entry(self) -> str:
        """The npz entry that this row covers."""
        return re.sub(r" \[[^\]]*\]$", "", self.name)


def compare(name: str, got: ArrayLike, expected: ArrayLike, tolerance: float, relative: float = 0.0) -> Row:
    """Compare arrays: each difference may be tolerance + relative * |expected|; the row tells the worst one.

    Another shape is an infinite error. For exact comparison (integers, bytes) give tolerance 0. Masked elements of got are not
    compared; the row's rule tells how many.
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
    """Compare what is no array (texts, files): equal or not."""
    return Row(name, 0.0 if got == expected else math.inf, 0.0, "equal")


def missing(name: str, why: str) -> Row:
    """The row of something that was expected and is not there, or could not be computed."""
    return Row(name, math.nan, 0.0, f"missing: {why}")


def uncovered(entries: Iterable[str], rows: Iterable[Row]) -> Iterator[Row]:
    """A missing row for each entry `*.out.*` or `*.probe.*` that no row covers."""
    covered = {row.entry for row in rows}
    for entry in entries:
        if re.search(r"(^|\.)(out|probe)\.", entry) and entry not in covered:
            yield missing(entry, "no row covers it")
