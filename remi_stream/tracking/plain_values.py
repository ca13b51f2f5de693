"""Serialisation of an engine's state of a track as plain values: named tuples, lists, arrays, numbers, None.

Deserialising runs no code: a named tuple is built only from a NamedTuple class of an already loaded module.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


class NotSerialisable(Exception):  # noqa: N818
    """A value that cannot be serialised; it is dropped at the end of a chunk."""


def to_plain(value: Any) -> Any:
    """Serialise a value to lists, numbers, strings and bytes. Raises NotSerialisable."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return ["array", value.dtype.str, list(value.shape), value.tobytes()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        kind = type(value)
        return ["named", kind.__module__, kind.__qualname__, [to_plain(part) for part in value]]
    if isinstance(value, tuple | list):
        return ["list", type(value).__name__, [to_plain(part) for part in value]]
    raise NotSerialisable(type(value).__name__)


def from_plain(value: Any) -> Any:
    """Deserialise a plain value. Raises NotSerialisable if its class does not exist."""
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "array":
        array = np.frombuffer(parts[2], np.dtype(parts[0])).reshape(parts[1]).copy()
        return array if parts[1] else array[()]
    if kind == "list":
        found = [from_plain(part) for part in parts[1]]
        return tuple(found) if parts[0] == "tuple" else found
    return _named_tuple_class(parts[0], parts[1])._make(from_plain(part) for part in parts[2])


def plain_round_trip(value: Any) -> Any:
    """Return the value after a round trip through its plain form; None if it cannot be serialised.

    Applied at the end of each chunk, so that an uninterrupted run and a resumed one give identical results.
    """
    try:
        return from_plain(to_plain(value))
    except NotSerialisable:
        return None


def _named_tuple_class(module: str, name: str) -> Any:
    found = getattr(sys.modules.get(module), name, None)
    if isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_make"):
        return found
    raise NotSerialisable(f"{module}.{name}")
