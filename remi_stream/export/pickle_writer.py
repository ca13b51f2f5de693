"""Streaming pickle writer for arrays in plain containers: an hour of meshes is never in memory.

The output can be read by `pickle.load` and `joblib.load` of Python 3.4 and later with any NumPy. NumPy 2 pickles refer to
`numpy._core`, which NumPy before 1.26 does not have; this writer uses the old name `numpy.core`, which every version knows.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

PICKLE_PROTOCOL = 4
"""The first with BINBYTES8, for arrays above 4 GB; Python 3.4 and later read it."""
EMPTY_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
"""Opcodes that construct an empty array; its state follows and is set by BUILD."""
NUMERIC_KINDS = "biuf"
"""dtype kinds that are written as raw bytes."""


class ChunkedArray(NamedTuple):
    """An array that is generated in pieces along its first axis while it is written."""

    shape: tuple[int, ...]
    dtype: str
    rows: Iterable[np.ndarray]
    """The pieces, in order."""


class LazyDict(NamedTuple):
    """A dict whose pairs are generated one by one while it is written, in this order."""

    pairs: Iterable[tuple[Any, Any]]


def write_pickle(file: BinaryIO, value: Any) -> None:
    """Write a value: None, bool, int, str, list, dict, numeric arrays, 0-dimensional object arrays, ChunkedArray, LazyDict."""
    file.write(pickle.PROTO + bytes([PICKLE_PROTOCOL]))
    for part in pickle_chunks(value):
        file.write(part)
    file.write(pickle.STOP)


def pickle_chunks(value: Any) -> Iterator[bytes | memoryview]:
    """Yield the pickle bytes of a value."""
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMERIC_KINDS:
        yield from _array(ChunkedArray(value.shape, value.dtype.str, [value]))
    elif isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0:
        yield from _object_array(value.item())
    elif isinstance(value, ChunkedArray):
        yield from _array(value)
    elif isinstance(value, dict | LazyDict):
        yield from _pairs(value.pairs if isinstance(value, LazyDict) else value.items())
    elif isinstance(value, list):
        yield pickle.EMPTY_LIST + pickle.MARK
        for each in value:
            yield from pickle_chunks(each)
        yield pickle.APPENDS
    else:
        yield _plain(value)


def _plain(value: Any) -> bytes:
    if value is None:
        return pickle.NONE
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    if isinstance(value, int):
        # 9 bytes hold every 64-bit integer, signed or unsigned
        return pickle.LONG1 + bytes([9]) + value.to_bytes(9, "little", signed=True)
    if isinstance(value, str):
        text = value.encode()
        return pickle.BINUNICODE + struct.pack("<I", len(text)) + text
    raise TypeError(f"cannot pickle a {type(value).__name__}")


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> Iterator[bytes | memoryview]:
    yield pickle.EMPTY_DICT + pickle.MARK
    for key, value in pairs:
        yield from pickle_chunks(key)
        yield from pickle_chunks(value)
    yield pickle.SETITEMS


def _array(array: ChunkedArray) -> Iterator[bytes | memoryview]:
    kind = np.dtype(array.dtype).newbyteorder("<")
    count = int(np.prod(array.shape, dtype=np.int64)) * kind.itemsize
    yield _array_head(array.shape, kind.str.lstrip("<|"), "<" if kind.itemsize > 1 else "|")
    yield pickle.BINBYTES8 + struct.pack("<Q", count)
    for row in array.rows:
        data = np.ascontiguousarray(row, kind).reshape(-1).view(np.uint8).data
        count -= len(data)
        yield data
    if count:
        raise ValueError(f"an array of shape {array.shape} got {-count} bytes too many")
    yield pickle.TUPLE + pickle.BUILD


def _object_array(value: Any) -> Iterator[bytes | memoryview]:
    """Yield a 0-dimensional array that holds any object."""
    yield _array_head((), "O8", "|")
    yield from pickle_chunks([value])
    yield pickle.TUPLE + pickle.BUILD


def _array_head(shape: tuple[int, ...], kind: str, order: str) -> bytes:
    """Return the opcodes of an array up to its data."""
    version = _plain(1)
    axes = pickle.MARK + b"".join(_plain(length) for length in shape) + pickle.TUPLE
    dtype = b"cnumpy\ndtype\n" + _plain(kind) + pickle.NEWFALSE + pickle.NEWTRUE + pickle.TUPLE3 + pickle.REDUCE
    # the arguments of NumPy's dtype.__setstate__; 63: its flags of a dtype that holds objects
    flags = 63 if kind == "O8" else 0
    state = [_plain(3), _plain(order), pickle.NONE * 3, _plain(-1), _plain(-1), _plain(flags)]
    dtype_state = dtype + pickle.MARK + b"".join(state) + pickle.TUPLE + pickle.BUILD
    return EMPTY_ARRAY + pickle.MARK + version + axes + dtype_state + pickle.NEWFALSE
