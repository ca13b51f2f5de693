"""Messages of aitviewer's remote protocol: pickles, written here and never read.

A message is a pickled map {"type", "uid", "args", "kwargs"}. The type is a member of an enum of aitviewer's, written by name, so
aitviewer need not be installed here. Arrays are pickled as numpy.ndarray(shape, dtype, bytearray): readable by every NumPy
version, and writable at the receiver.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

MESHES, SMPL, DELETE, UPDATE_FRAMES = 2, 10, 100, 102
"""Members of aitviewer.remote.message.Message."""

PROTOCOL = 3
"""Pickle protocol: the highest without frames, so that opcodes can be appended."""
TYPE = b"X\x04\x00\x00\x00type"
MESSAGE = b"caitviewer.remote.message\nMessage\n"
VALUE, CALL, SET, STOP = b"K", b"\x85R", b"s", b"."
"""Opcodes: a small integer, a call with one argument, an item of the map below, the end."""


class Told:
    """Pickles an array as a call of numpy.ndarray."""

    def __init__(self, array: np.ndarray, dtype: str) -> None:
        self._shape, self._dtype, self._data = array.shape, dtype, np.ascontiguousarray(array, dtype).tobytes()

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, (self._shape, self._dtype, bytearray(self._data))


def message(kind: int, uid: int, **values: Any) -> bytes:
    """Encode a message about node uid; float arrays are sent as float32, integer arrays as int32."""
    kwargs = {name: _picklable(value) for name, value in values.items()}
    # The opcodes of ["type"] = Message(kind), appended before STOP.
    rest = pickle.dumps({"uid": uid, "args": (), "kwargs": kwargs}, protocol=PROTOCOL)
    return rest.removesuffix(STOP) + TYPE + MESSAGE + VALUE + bytes([kind]) + CALL + SET + STOP


def _picklable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return Told(value, "<f4" if np.issubdtype(value.dtype, np.floating) else "<i4")
