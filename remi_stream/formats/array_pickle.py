"""Pickles of arrays, read without running anything that they ask for.

A pickle is a program that may call any function by its name. Here it is read only as far as arrays need it: every operation and
every name that they do without is refused, nothing that it names is imported, and NumPy's makers of arrays are stood in for.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from remi_stream.errors import RemiError

BROKEN = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError),
    *(MemoryError, OverflowError, ImportError),
)
"""What reading a damaged pickle may raise."""
OPERATIONS = [
    "PROTO",
    "FRAME",
    "STOP",
    "MARK",
    "POP",
    "POP_MARK",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
    "EMPTY_TUPLE",
    "TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "EMPTY_LIST",
    "APPEND",
    "APPENDS",
    "EMPTY_DICT",
    "SETITEM",
    "SETITEMS",
    "BINPUT",
    "LONG_BINPUT",
    "MEMOIZE",
    "BINGET",
    "LONG_BINGET",
    "GLOBAL",
    "STACK_GLOBAL",
    "REDUCE",
    "BUILD",
]
"""What pickles of arrays in plain containers consist of, in protocols 3 to 5."""


SAID_LETTERS = 100
"""So much at most is said of why a pickle is damaged; some of it may be the pickle's own words."""


class RefusedError(Exception):
    """A pickle asks for what no array needs; its one argument is what."""


def unpickle(payload: bytes, what: str) -> Any:
    """What a pickle holds: plain containers, and what as_array gives the arrays of.

    Raises RemiError, which says that it was `what` that is refused; nothing that the pickle names has been run then.
    """
    try:
        refuse_operations(payload)
        return Arrays(io.BytesIO(payload)).load()
    except RefusedError as error:
        raise RemiError(f"{what} would do more than hold arrays when it is read (it asks for {error}); it is refused.") from None
    except (*BROKEN, RecursionError) as error:
        why = re.sub(r"[^ -~]", "?", str(error).partition("\n")[0])[:SAID_LETTERS] or type(error).__name__
        raise RemiError(f"{what} is damaged, or no pickle of arrays ({why}).") from None


def as_array(value: object) -> np.ndarray | None:
    """The array that a value of a pickle stands for; None if it stands for none."""
    array = value.array if isinstance(value, Rebuilt) else value
    return array if isinstance(array, np.ndarray) else None


def refuse_operations(payload: bytes) -> None:
    """Raise RefusedError for a pickle with another operation, or one that only takes memory. Reads it without running it."""
    for operation, argument, _ in pickletools.genops(payload):
        if operation.name not in OPERATIONS:
            raise RefusedError(operation.name)
        if operation.name.endswith("PUT") and isinstance(argument, int) and argument > len(payload):
            raise RefusedError(f"{operation.name} {argument}")


class Arrays(pickle.Unpickler):
    """Reads a pickle of arrays; their makers are stood in for."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for one of NumPy's makers of arrays. Raises RefusedError for any other name."""
        full = f"{module}.{name}"
        if full not in MAKERS:
            raise RefusedError(full if re.fullmatch(r"[A-Za-z0-9_.]{1,60}", full) else "something that has no plain name")
        return MAKERS[full]


class Kind:
    """Stands for numpy.dtype: numbers only."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: object) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[fiub][1248]", code)):
            raise ValueError(f"numbers of type {str(code)[:20]}")
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.code = ">" + self.code

    def array(self, numbers: bytes, shape: tuple[int, ...], order: Any) -> np.ndarray:
        """An array of these bytes, which is read-only."""
        return np.frombuffer(numbers, np.dtype(self.code)).reshape(shape, order=order)


class Rebuilt:
    """Stands for an array that is made first and filled then (protocols 3 and 4)."""

    __slots__ = ("array",)

    def __init__(self, *_: object) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, numbers = state
        self.array = from_bytes(numbers, kind, shape, "F" if fortran else "C")


def from_bytes(numbers: bytes, kind: Kind, shape: tuple[int, ...], order: str) -> np.ndarray:
    """An array of the bytes that a pickle holds (protocol 5)."""
    if not isinstance(kind, Kind) or not isinstance(numbers, bytes | bytearray):
        raise ValueError("an array without its type or its numbers")
    return kind.array(bytes(numbers), shape, order)


class Maker:
    """What a name of a pickle becomes: it can be called and nothing else, since a pickle may also set what it is given."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a maker of arrays cannot be changed")

    def __call__(self, *arguments: Any) -> Any:
        """Make it."""
        return self._make(*arguments)


MAKERS = {
    "numpy.dtype": Maker(Kind),
    "numpy.ndarray": Maker(Rebuilt),
    **{f"numpy.{core}.multiarray._reconstruct": Maker(Rebuilt) for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": Maker(from_bytes) for core in ("core", "_core")},
}
"""By their names in NumPy 1 and 2."""
