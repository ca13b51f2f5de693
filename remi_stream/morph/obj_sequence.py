"""The shapes of a way as OBJ files."""

from __future__ import annotations

import numpy as np


def mesh(vertices: np.ndarray, faces: bytes) -> bytes:
    """A file: vertices (V, 3), and the lines of its faces."""
    return ("v %.7g %.7g %.7g\n" * len(vertices) % tuple(vertices.ravel().tolist())).encode() + faces


def face_lines(faces: np.ndarray) -> bytes:
    """The lines of faces (F, 3)."""
    return ("f %d %d %d\n" * len(faces) % tuple((faces + 1).ravel().tolist())).encode()
