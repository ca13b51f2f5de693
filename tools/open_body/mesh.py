"""Triangle mesh: smoothing, vertex areas, vertex normals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags

from remi_stream.render import surface
from remi_stream.render.surface import face_area_vectors, vertex_face_matrix

Array = NDArray[Any]


def smooth_values(values: Array, faces: Array, rounds: int) -> Array:
    """Smooth values (V, K) by Laplacian averaging over mesh neighbours; removes creases where bones were merged."""
    edges = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    graph = (coo_matrix((np.ones(len(edges)), edges.T), (len(values), len(values))).tocsr() > 0).astype(float)
    mean = diags(1 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1)) @ graph
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (mean @ values)
    return values


def vertex_areas(vertices: Array, faces: Array) -> Array:
    """Area of each vertex, a third of its adjacent faces, (V,) m^2."""
    thirds = np.linalg.norm(face_area_vectors(vertices, faces), axis=1) / 6
    return np.bincount(faces.ravel(), np.repeat(thirds, 3), len(vertices))


def vertex_normals(vertices: Array, faces: Array) -> Array:
    """Area-weighted vertex normals (V, 3), unit length."""
    return surface.vertex_normals(vertices, faces, vertex_face_matrix(faces, np.arange(len(vertices))))


def unit(vectors: Array) -> Array:
    """Normalise vectors (..., 3); zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
