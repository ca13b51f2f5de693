"""Plain arrays from untrusted bytes: booleans, integers, floats and text of a fixed length, never objects or structures.

NumPy gets nothing but a type of this list, a shape of Python integers that was multiplied out here, and exactly that many bytes:
it trusts fields of a dtype, shapes and object pointers that a file could set.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

PLAIN_TYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|[SU](0|[1-9][0-9]{0,3}))", re.ASCII)
"""Types that an array may have, as NumPy's files and pickles write them."""
MAX_DIMENSIONS = 32
"""NumPy 1's limit."""
MAX_CODE_POINT, SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)
"""Range of Unicode, and the part of it that is no text."""


def plain_dtype(code: Any) -> np.dtype:
    """Return the dtype of a type's code ("<f4"). Raises ValueError unless it is plain."""
    if not isinstance(code, str) or not PLAIN_TYPE.fullmatch(code):
        raise ValueError(f"numbers of type {str(code)[:20]}")
    return np.dtype(code)


def checked_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape of Python integers. Raises ValueError for anything else: NumPy's integers wrap around when multiplied."""
    if not isinstance(shape, tuple | list) or len(shape) > MAX_DIMENSIONS or not all(type(size) is int for size in shape):
        raise ValueError("an array without a shape")
    if min(shape, default=0) < 0:
        raise ValueError("an array of a negative size")
    return tuple(shape)


def array_bytes(dtype: np.dtype, shape: tuple[int, ...]) -> int:
    """Return how many bytes an array has. Raises ValueError for many elements of no size, which no file pays for."""
    if not dtype.itemsize and math.prod(shape) > 1:
        raise ValueError("an array of empty texts")
    return math.prod(shape) * dtype.itemsize


def array_from_buffer(
    data: bytes | bytearray | memoryview | np.ndarray, dtype: np.dtype, shape: Any, by_columns: bool
) -> np.ndarray:
    """Return the array of exactly these bytes, in this machine's byte order; it shares memory with them if it can.

    dtype: of `plain_dtype`. shape: of any type. Raises ValueError if shape and bytes differ, or for text that is none.
    """
    shape = checked_shape(shape)
    if len(data) != array_bytes(dtype, shape):
        raise ValueError(f"{len(data)} bytes for an array of {array_bytes(dtype, shape)}")
    if not len(data):
        return np.zeros(shape, dtype.newbyteorder("="))
    if dtype.kind == "b":  # NumPy counts on bytes of 0 and 1
        flat = np.frombuffer(data, np.uint8) != 0
    else:
        flat = np.frombuffer(data, dtype)
        flat = flat if dtype.isnative else flat.astype(dtype.newbyteorder("="))
    if dtype.kind == "U":
        check_text(flat)
    return flat.reshape(shape, order="F" if by_columns else "C")


def check_text(flat: np.ndarray) -> None:
    """Raise ValueError unless all code points of a text array (N,) are text."""
    points = flat.view(np.uint32)
    if points.max(initial=0) > MAX_CODE_POINT or ((points >= SURROGATES[0]) & (points <= SURROGATES[1])).any():
        raise ValueError("text that is no Unicode")
