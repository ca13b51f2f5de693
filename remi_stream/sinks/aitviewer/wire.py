"""Messages of aitviewer's remote protocol: pickles, written here and never read.

A message is a pickled map {"type", "uid", "args", "kwargs"}. The type is a member of an enum of aitviewer's, written by name, so
aitviewer need not be installed here. Arrays are pickled as numpy.ndarray(shape, dtype, bytearray): readable by every NumPy
version, and writable at the receiver.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

MESHES_TYPE, SMPL_TYPE, DELETE_TYPE, UPDATE_FRAMES_TYPE = 2, 10, 100, 102
"""Members of aitviewer.remote.message.Message."""

PICKLE_PROTOCOL = 3
"""Pickle protocol: the highest without frames, so that opcodes can be appended."""
TYPE_KEY = b"X\x04\x00\x00\x00type"
MESSAGE_CLASS = b"caitviewer.remote.message\nMessage\n"
OP_BYTE, OP_CALL, OP_SET_ITEM, OP_STOP = b"K", b"\x85R", b"s", b"."
"""Opcodes: a small integer, a call with one argument, an item of the map below, the end."""


class PickledArray:
    """Pickles an array as a call of numpy.ndarray."""

    def __init__(self, array: np.ndarray, dtype: str) -> None:
        self._shape, self._dtype, self._data = array.shape, dtype, np.ascontiguousarray(array, dtype).tobytes()

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, (self._shape, self._dtype, bytearray(self._data))


def encode_message(message_type: int, uid: int, **values: Any) -> bytes:
    """Encode a message about node uid; float arrays are sent as float32, integer arrays as int32."""
    kwargs = {name: _picklable(value) for name, value in values.items()}
    # The opcodes of ["type"] = Message(kind), appended before OP_STOP.
    rest = pickle.dumps({"uid": uid, "args": (), "kwargs": kwargs}, protocol=PICKLE_PROTOCOL)
    return (
        rest.removesuffix(OP_STOP) + TYPE_KEY + MESSAGE_CLASS + OP_BYTE + bytes([message_type]) + OP_CALL + OP_SET_ITEM + OP_STOP
    )


def _picklable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return PickledArray(value, "<f4" if np.issubdtype(value.dtype, np.floating) else "<i4")
