"""Build a binary glTF 2.0 (GLB) container in memory: a JSON_CHUNK chunk and one binary chunk of all arrays."""

from __future__ import annotations

import struct
from typing import Any, Literal

import msgspec
import numpy as np

GLB_MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
"""ASCII "glTF", "JSON_CHUNK" and "BIN", little-endian (glTF 2.0, GLB file format)."""
COMPONENT_TYPES = {"|u1": 5121, "<u2": 5123, "<u4": 5125, "<f4": 5126}
"""glTF's componentType by NumPy dtype."""
ACCESSOR_TYPES: dict[tuple[int, ...], str] = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (16,): "MAT4"}
BUFFER_TARGETS = {"vertices": 34962, "indices": 34963}
"""ARRAY_BUFFER and ELEMENT_ARRAY_BUFFER."""


class GlbBuilder:
    """Collects arrays as glTF accessors and writes the GLB file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def add_accessor(
        self,
        array: np.ndarray,
        target: Literal["vertices", "indices"] | None = None,
        *,
        bounds: bool = False,
        normalized: bool = False,
    ) -> int:
        """Add an array (n, ...) and return its accessor index. Rows of vertices must be a multiple of 4 bytes.

        bounds: write min and max, which glTF requires of positions and times. normalized: integers represent [0, 1].
        """
        data = np.ascontiguousarray(array).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data)}
        accessor: dict[str, Any] = {
            "bufferView": len(self._views),
            "componentType": COMPONENT_TYPES[array.dtype.str],
            "count": len(array),
            "type": ACCESSOR_TYPES[array.shape[1:]],
        }
        if target:
            view["target"] = BUFFER_TARGETS[target]
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        self._views.append(view)
        self._accessors.append(accessor)
        self._parts.append(pad_to_4_bytes(data, b"\0"))
        self._length += len(self._parts[-1])
        return len(self._accessors) - 1

    def to_bytes(self, scene: dict[str, Any]) -> bytes:
        """Return the bytes of the file; scene: the rest of the JSON_CHUNK."""
        numbers = {"buffers": [{"byteLength": self._length}], "bufferViews": self._views, "accessors": self._accessors}
        text = pad_to_4_bytes(msgspec.json.encode({**scene, **numbers}), b" ")
        length = 12 + 8 + len(text) + 8 + self._length
        head = struct.pack("<III", GLB_MAGIC, 2, length)
        return b"".join(
            [head, struct.pack("<II", len(text), JSON_CHUNK), text, struct.pack("<II", self._length, BIN_CHUNK), *self._parts]
        )


def pad_to_4_bytes(data: bytes, padding: bytes) -> bytes:
    """Pad data to a multiple of 4 bytes, the chunk alignment of GLB."""
    return data + padding * (-len(data) % 4)
