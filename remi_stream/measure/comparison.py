"""Two files of measurements beside each other: by condition and quantity, what each says and which is better."""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.errors import UsageError
from remi_stream.measure.measurements import Condition, Measurements
from remi_stream.measure.quantities import Kind, Quantity
from remi_stream.measure.window import NAN


class Line(NamedTuple):
    """One quantity under one condition: the means of the first and of the second file, NaN where it has none."""

    quantity: Quantity
    first: float
    second: float

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
        """0 or 1: which file is better; None where neither is, or it is not known."""
        if not self.quantity.better or not self.difference:
            return None
        if self.difference != self.difference:
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
    nothing = Condition(0, (NAN,) * len(first.kind.quantities))
    chapters = []
    for condition in dict.fromkeys([*first.conditions, *second.conditions]):
        a, b = (each.conditions.get(condition, nothing) for each in (first, second))
        lines = tuple(map(Line, first.kind.quantities, a.means, b.means))
        chapters.append(Chapter(condition, (a.rows, b.rows), lines))
    return Comparison(first.kind, names, tuple(chapters))
