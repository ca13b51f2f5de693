"""A filter by its name."""

from __future__ import annotations

from collections.abc import Mapping

from remi_stream.filters.registry import Filter, open_filter_spec, resolve_filter


def load_filter(name: str, options: Mapping[str, float] | None = None) -> Filter:
    return open_filter_spec(resolve_filter(name, options))
