"""What an engine remembers of somebody, as plain values that can lie on a disk: named tuples, arrays, numbers, None.

Nothing is run when it is read back: a named tuple is made only of a class that its module, loaded by then, has.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


class Unkept(Exception):  # noqa: N818
    """Something that has no plain form: it is forgotten where a chunk ends."""


def plain(value: Any) -> Any:
    """A value as lists, numbers, strings and bytes. Raises Unkept."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return ["array", value.dtype.str, list(value.shape), value.tobytes()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        kind = type(value)
        return ["named", kind.__module__, kind.__qualname__, [plain(part) for part in value]]
    if isinstance(value, tuple | list):
        return ["list", type(value).__name__, [plain(part) for part in value]]
    raise Unkept(type(value).__name__)


def whole(value: Any) -> Any:
    """The value of a plain form. Raises Unkept if its class is not there any more."""
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "array":
        array = np.frombuffer(parts[2], np.dtype(parts[0])).reshape(parts[1]).copy()
        return array if parts[1] else array[()]
    if kind == "list":
        found = [whole(part) for part in parts[1]]
        return tuple(found) if parts[0] == "tuple" else found
    return _named(parts[0], parts[1])._make(whole(part) for part in parts[2])


def kept(value: Any) -> Any:
    """What is left of a value at the end of a chunk: itself, or None if it cannot be kept.

    A run that goes on does as one that begins there, so that both end with the same bytes.
    """
    try:
        return whole(plain(value))
    except Unkept:
        return None


def _named(module: str, name: str) -> Any:
    found = getattr(sys.modules.get(module), name, None)
    if isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_make"):
        return found
    raise Unkept(f"{module}.{name}")
