"""Two files of measurements beside each other: by condition and quantity, what each says and which is better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from remi_stream.errors import UsageError
from remi_stream.measure.measurements import Condition, Measurements
from remi_stream.measure.quantities import Kind, Quantity
from remi_stream.measure.window import NAN

LEAST_SHARE = 0.01
"""Nothing is better by less: what was measured is not that exact, however steady it is."""
CHANCE = 0.95
"""How much of what chance does is called that: of means that are the same, one in twenty is told to be better."""


class Line(NamedTuple):
    """One quantity under one condition: the means of the first and of the second file, NaN where it has none.

    by_chance: so much their difference may be by chance, as far as rows of one condition tell how they differ among themselves.
    """

    quantity: Quantity
    first: float
    second: float
    by_chance: float = 0.0

    @property
    def difference(self) -> float:
        """How much more the second one is."""
        return self.second - self.first

    @property
    def ratio(self) -> float:
        """How many times the first one the second one is; NaN if that says nothing."""
        return self.second / self.first if self.first > 0 and self.second >= 0 else NAN

    @property
    def better(self) -> int | None:
        """0 or 1: which file is better; None where neither is, by more than chance and a hundredth, or it is not known."""
        least = max(self.by_chance, LEAST_SHARE * max(abs(self.first), abs(self.second)))
        if not self.quantity.better or not abs(self.difference) > least:
            return None
        return int((self.difference > 0) == (self.quantity.better == "higher"))


class Chapter(NamedTuple):
    """One condition: how many rows each file has of it, and its lines."""

    condition: str
    rows: tuple[int, int]
    lines: tuple[Line, ...]


class Comparison(NamedTuple):
    """names: what the two files are called."""

    kind: Kind
    names: tuple[str, str]
    chapters: tuple[Chapter, ...]


def compare(first: Measurements, second: Measurements, names: tuple[str, str]) -> Comparison:
    """Put two files beside each other. Raises UsageError if they are of different kinds."""
    if first.kind is not second.kind:
        raise UsageError(
            f"{first.path} holds what {first.kind.name} measures, {second.path} what {second.kind.name} does. "
            "Compare files of the same kind."
        )
    count = len(first.kind.quantities)
    nothing = Condition(0, (NAN,) * count, (0,) * count, (0.0,) * count)
    chapters = []
    for condition in dict.fromkeys([*first.conditions, *second.conditions]):
        a, b = (each.conditions.get(condition, nothing) for each in (first, second))
        lines = tuple(map(Line, first.kind.quantities, a.means, b.means, by_chance(a, b)))
        chapters.append(Chapter(condition, (a.rows, b.rows), lines))
    return Comparison(first.kind, names, tuple(chapters))


def by_chance(first: Condition, second: Condition) -> Iterator[float]:
    """How far apart the means of each quantity may be although it is the same: Student's, of both spreads together.

    0 where nobody has two rows, and so nothing is known.
    """
    for n, m, squares in zip(first.known, second.known, np.add(first.squares, second.squares)):
        freedom = max(n - 1, 0) + max(m - 1, 0)
        if not n or not m or not freedom:
            yield 0.0
        else:
            yield float(stdtrit(freedom, (1 + CHANCE) / 2) * np.sqrt(squares / freedom * (1 / n + 1 / m)))
