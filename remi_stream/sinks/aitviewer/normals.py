"""Which way the points of a moving skin face; several times faster than aitviewer finds it."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import cross, unit


class Normals:
    """Of meshes with these faces (F, 3)."""

    def __init__(self, faces: np.ndarray, points: int) -> None:
        self._faces = faces
        corners = np.repeat(np.arange(len(faces)), 3)
        self._touching = csr_matrix((np.ones(len(corners), np.float32), (faces.ravel(), corners)), shape=(points, len(faces)))

    def of(self, vertices: np.ndarray) -> np.ndarray:
        """The normals (V, 3) float32, of length 1, of vertices (V, 3): the mean of the faces that touch, by their areas."""
        a, b, c = vertices[self._faces.T]
        return unit(self._touching @ cross(b - a, c - a)).astype(np.float32)
