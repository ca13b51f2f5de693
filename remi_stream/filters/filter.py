"""Temporal filter protocol, and loading filters by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from remi_stream.filters.choice import FILTERS, FilterSpec, resolve_filter
from remi_stream.messages import Person
from remi_stream.models.manifest import ModelFile


class Filter(Protocol):
    """A temporal filter of the people of one camera, with separate state per track."""

    name: str
    lag_s: float | None
    """Upper bound of the lag of uniform motion, s; None if it depends on the motion."""

    def filter(self, person: Person, captured_at: float) -> Person:
        """Smooth joints_m and smpl of a person with the history of its track. captured_at: capture time of the frame, s.

        Box, key points and scores are unchanged. The frame interval may vary. The state of a track is reset after a gap or
        when its time goes back; a frame with the same time as the last one returns the last result.
        """
        ...

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended; unknown tracks are ignored."""
        ...


def load_filter(name: str, options: Mapping[str, float] | None = None) -> Filter:
    """Load a filter or REMI preset by name; options override its defaults. Imports no other filter."""
    return open_filter_spec(resolve_filter(name, options))


def open_filter_spec(spec: FilterSpec) -> Filter:
    """Load a resolved filter."""
    opened: Filter = _attribute(FILTERS[spec.kind].factory)(**spec.options)
    return opened


def filter_weights(spec: FilterSpec) -> list[tuple[ModelFile, str]]:
    """List the weights that a filter needs, each with the runtime that runs them."""
    files = FILTERS[spec.kind].weights
    return list(_attribute(files)(**spec.options)) if files else []


def require_filter_weights(spec: FilterSpec) -> None:
    """Raise RemiError unless a filter's weights are in the model store, converted if its runtime needs ONNX."""
    from remi_stream.convert.artefact import cached_onnx
    from remi_stream.models.store import ensure_model_file

    for file, runtime in filter_weights(spec):
        _ = ensure_model_file(file) if runtime in ("torch", "tensorrt") else cached_onnx(file)


def _attribute(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
