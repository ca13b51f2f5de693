"""The golden vectors of one run of a network: what went in, what came out, and five numbers of what was in between."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from parity.rows import Entries

Arrays = dict[str, np.ndarray]


class Case(NamedTuple):
    """name: what its keys begin with ("b1", "w8.r16b1.b3"); the others: by the rest of the key."""

    name: str
    inputs: Arrays
    outputs: Arrays
    probes: Arrays


def cases_of(entries: Entries) -> list[Case]:
    """The runs that an npz tells of, in its order."""
    cases: dict[str, Case] = {}
    for entry, array in entries.items():
        if parts := re.match(r"(.+?)\.(in|out|probe)\.(.+)", entry):
            name, kind, rest = parts.groups()
            case = cases.setdefault(name, Case(name, {}, {}, {}))
            {"in": case.inputs, "out": case.outputs, "probe": case.probes}[kind][rest] = array
    return list(cases.values())


def seen(full: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Every n-th element along each axis, so that the shape results; anything that cannot have it is left as it is."""
    if full.shape == shape or full.ndim != len(shape):
        return full.reshape(shape) if full.size == np.prod(shape) else full
    steps = [next((step for step in range(1, n + 1) if len(range(0, n, step)) == m), 1) for n, m in zip(full.shape, shape)]
    return full[tuple(slice(None, None, step) for step in steps)]


def five(array: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, sum of absolute values, smallest, largest."""
    wide = array.astype(np.float64)
    return np.array([wide.mean(), wide.std(), np.abs(wide).sum(), wide.min(), wide.max()])
