"""What a stock aitviewer server is told: pickles, made here and never read.

Its protocol is a pickled map {"type", "uid", "args", "kwargs"}, the type a member of an enum of aitviewer's, which need not be
installed here: the pickle names it. Arrays are told as numpy.ndarray(shape, dtype, bytearray), which every NumPy reads, into
memory that may be written.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

MESHES, SMPL, DELETE, UPDATE_FRAMES = 2, 10, 100, 102
"""Members of aitviewer.remote.message.Message."""

PROTOCOL = 3
TYPE = b"X\x04\x00\x00\x00type"
MESSAGE = b"caitviewer.remote.message\nMessage\n"
VALUE, CALL, SET, STOP = b"K", b"\x85R", b"s", b"."
"""Opcodes: a small integer, a call with one argument, an item of the map below, the end."""


class Told:
    """An array on its way."""

    def __init__(self, array: np.ndarray, dtype: str) -> None:
        self._shape, self._dtype, self._data = array.shape, dtype, np.ascontiguousarray(array, dtype).tobytes()

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, (self._shape, self._dtype, bytearray(self._data))


def message(kind: int, uid: int, **said: Any) -> bytes:
    """One message about the node that we call uid; floats travel as float32, integers as int32."""
    kwargs = {name: _told(value) for name, value in said.items()}
    rest = pickle.dumps({"uid": uid, "args": (), "kwargs": kwargs}, protocol=PROTOCOL)
    return rest.removesuffix(STOP) + TYPE + MESSAGE + VALUE + bytes([kind]) + CALL + SET + STOP


def _told(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return Told(value, "<f4" if np.issubdtype(value.dtype, np.floating) else "<i4")
