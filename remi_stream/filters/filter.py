"""What smooths people over time, and how one is found by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from remi_stream.errors import UsageError, unknown
from remi_stream.messages import Person


class Filter(Protocol):
    """A temporal filter of the people of one camera; each track has a state of its own."""

    name: str
    lag_s: float | None
    """How late a steady movement comes out, at most; None where it depends on the movement."""

    def filter(self, person: Person, captured_at: float) -> Person:
        """The person, smoothed with what was seen of the same track before; captured_at: s, of its frame.

        joints_m and smpl are; what was seen in the picture is not. The time between frames may vary. A track that was away, or
        whose time goes back, starts anew; a frame of the same time as the last one gives the last result again.
        """
        ...

    def forget(self, track_id: int) -> None:
        """Drop what is known of a track that has ended; tracks that were never seen are nothing to forget."""
        ...


class Known(NamedTuple):
    """Where a filter is made, and its options with their defaults (their units stand in its module)."""

    make: str
    options: Mapping[str, float] = {}


FILTERS = {
    "none": Known("remi_stream.filters.none:open_filter"),
    "one_euro": Known(
        "remi_stream.filters.one_euro:open_filter",
        {"min_cutoff": 0.5, "beta_turn": 3.5, "beta_move": 4.0, "d_cutoff": 2.0, "shape_cutoff": 0.3, "lead": 0.6},
    ),
    "single_exp": Known("remi_stream.filters.single_exp:open_filter", {"time_s": 0.05}),
    "double_exp": Known("remi_stream.filters.double_exp:open_filter", {"time_s": 0.05, "trend_time_s": 0.1}),
    "moving_avg": Known("remi_stream.filters.moving_avg:open_filter", {"window_s": 0.15}),
    "smoothnet": Known("remi_stream.filters.smoothnet:open_filter", {"window": 32}),
}


def find_filter(name: str) -> Known:
    """What is known of the filter of this name; imports none."""
    if name not in FILTERS:
        raise unknown("filter", name, FILTERS)
    return FILTERS[name]


def load_filter(name: str, options: Mapping[str, float] | None = None) -> Filter:
    """Load a filter by name; options: instead of its defaults. Imports no other."""
    known = find_filter(name)
    for option, value in (options or {}).items():
        if option not in known.options:
            raise unknown(f"option of filter '{name}':", option, known.options)
        if not (isinstance(value, int | float) and 0 <= value < float("inf")):
            raise UsageError(f"Filter '{name}': {option} must be a number, 0 or more, got {value!r}.")
    module, _, attribute = known.make.partition(":")
    found: Filter = getattr(importlib.import_module(module), attribute)(**{**known.options, **(options or {})})
    return found
