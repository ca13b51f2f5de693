"""What smooths people over time, and how one is loaded by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from remi_stream.filters.choice import FILTERS, Choice, choose
from remi_stream.messages import Person
from remi_stream.models.manifest import ModelFile


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


def load_filter(name: str, options: Mapping[str, float] | None = None) -> Filter:
    """Load a filter by the name of one of ours or of REMI's presets; options: instead of its defaults. Imports no other."""
    return open_choice(choose(name, options))


def open_choice(choice: Choice) -> Filter:
    """Load the filter that was chosen."""
    found: Filter = _attribute(FILTERS[choice.kind].make)(**choice.options)
    return found


def files_of(choice: Choice) -> list[tuple[ModelFile, str]]:
    """The files of weights that a filter needs, and what they run in."""
    files = FILTERS[choice.kind].files
    return list(_attribute(files)(**choice.options)) if files else []


def require(choice: Choice) -> None:
    """Raise RemiError unless the weights that a filter needs are here, in the form that it runs."""
    from remi_stream.convert.artefact import artefact
    from remi_stream.models.store import model_file

    for file, runtime in files_of(choice):
        _ = model_file(file) if runtime in ("torch", "tensorrt") else artefact(file)


def _attribute(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
