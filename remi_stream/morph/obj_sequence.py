"""Writes the shapes of a morph as OBJ files."""

from __future__ import annotations

import numpy as np


def encode_obj(vertices: np.ndarray, faces: bytes) -> bytes:
    """Encode an OBJ file from vertices (V, 3) and encoded face lines."""
    return ("v %.7g %.7g %.7g\n" * len(vertices) % tuple(vertices.ravel().tolist())).encode() + faces


def encode_obj_faces(faces: np.ndarray) -> bytes:
    """Encode the OBJ lines of faces (F, 3)."""
    return ("f %d %d %d\n" * len(faces) % tuple((faces + 1).ravel().tolist())).encode()
