"""Vertex normals of a deforming mesh by one sparse product; several times faster than aitviewer's."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import cross_product, unit_vectors


class VertexNormals:
    """Computes vertex normals of meshes with these faces (F, 3). points: number of vertices."""

    def __init__(self, faces: np.ndarray, points: int) -> None:
        self._faces = faces
        corners = np.repeat(np.arange(len(faces)), 3)
        self._touching = csr_matrix((np.ones(len(corners), np.float32), (faces.ravel(), corners)), shape=(points, len(faces)))

    def compute(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals (V, 3) float32 of vertices (V, 3): the area-weighted mean over adjacent faces."""
        a, b, c = vertices[self._faces.T]
        return unit_vectors(self._touching @ cross_product(b - a, c - a)).astype(np.float32)
