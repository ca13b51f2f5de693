"""Golden vectors of one run of a network: inputs, outputs, and statistics of intermediate tensors (probes)."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from parity.rows import Entries

Arrays = dict[str, np.ndarray]


class Case(NamedTuple):
    """One golden run; arrays are keyed by the rest of the npz key."""

    name: str
    """Prefix of its keys: "b1", "w8.r16b1.b3"."""
    inputs: Arrays
    outputs: Arrays
    probes: Arrays


def cases_of(entries: Entries) -> list[Case]:
    """Group the entries of an npz by run, in order."""
    cases: dict[str, Case] = {}
    for entry, array in entries.items():
        if parts := re.match(r"(.+?)\.(in|out|probe)\.(.+)", entry):
            name, kind, rest = parts.groups()
            case = cases.setdefault(name, Case(name, {}, {}, {}))
            {"in": case.inputs, "out": case.outputs, "probe": case.probes}[kind][rest] = array
    return list(cases.values())


def subsample(full: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Subsample every n-th element along each axis to the given shape; unchanged if that is impossible."""
    if full.shape == shape or full.ndim != len(shape):
        return full.reshape(shape) if full.size == np.prod(shape) else full
    steps = [next((step for step in range(1, n + 1) if len(range(0, n, step)) == m), 1) for n, m in zip(full.shape, shape)]
    return full[tuple(slice(None, None, step) for step in steps)]


def summary_statistics(array: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, sum of absolute values, minimum, maximum."""
    values = array.astype(np.float64)
    return np.array([values.mean(), values.std(), np.abs(values).sum(), values.min(), values.max()])
