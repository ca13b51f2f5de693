"""The container of glTF 2.0: numbers in one binary chunk, and what they are in JSON before it. All in memory."""

from __future__ import annotations

import struct
from typing import Any, Literal

import msgspec
import numpy as np

MAGIC, JSON, BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
COMPONENTS = {"|u1": 5121, "<u2": 5123, "<u4": 5125, "<f4": 5126}
SHAPES: dict[tuple[int, ...], str] = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (16,): "MAT4"}
TARGETS = {"vertices": 34962, "indices": 34963}


class Glb:
    """Takes arrays and gives the number of each, its accessor."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def add(
        self,
        array: np.ndarray,
        of: Literal["vertices", "indices"] | None = None,
        *,
        bounds: bool = False,
        normalized: bool = False,
    ) -> int:
        """Add elements (n, ...), whose rows are a multiple of four bytes, or which are no vertices.

        bounds: tell the least and the greatest, as glTF wants it of positions and times. normalized: integers are shares of 1.
        """
        data = np.ascontiguousarray(array).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data)}
        accessor: dict[str, Any] = {
            "bufferView": len(self._views),
            "componentType": COMPONENTS[array.dtype.str],
            "count": len(array),
            "type": SHAPES[array.shape[1:]],
        }
        if of:
            view["target"] = TARGETS[of]
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        self._views.append(view)
        self._accessors.append(accessor)
        self._parts.append(padded(data, b"\0"))
        self._length += len(self._parts[-1])
        return len(self._accessors) - 1

    def file(self, scene: dict[str, Any]) -> bytes:
        """The whole file; scene: the rest of the JSON."""
        numbers = {"buffers": [{"byteLength": self._length}], "bufferViews": self._views, "accessors": self._accessors}
        text = padded(msgspec.json.encode({**scene, **numbers}), b" ")
        length = 12 + 8 + len(text) + 8 + self._length
        head = struct.pack("<III", MAGIC, 2, length)
        return b"".join([head, struct.pack("<II", len(text), JSON), text, struct.pack("<II", self._length, BIN), *self._parts])


def padded(data: bytes, filling: bytes) -> bytes:
    """The data, up to the next multiple of four bytes."""
    return data + filling * (-len(data) % 4)
