"""Geometry of triangle meshes: vertex normals, surface area, enclosed volume, closedness."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike
from scipy.sparse import csr_matrix

from remi_stream.geometry import cross_product, unit_vectors


def merge_coincident_vertices(*vertices: np.ndarray) -> np.ndarray:
    """Number vertices (V,) so that those coincident in all of these (V, 3) share a number: files split vertices at UV seams."""
    _, numbers = np.unique(np.concatenate(vertices, axis=1), axis=0, return_inverse=True)
    return numbers.reshape(-1)


def vertex_face_matrix(faces: np.ndarray, merged: np.ndarray, dtype: DTypeLike = np.float64) -> csr_matrix:
    """Vertex-face adjacency matrix (V, F) of 0 and 1; coincident vertices share the faces of all of them.

    Without merging them, the seams between them would show in the shading. merged: (V,) from `merge_coincident_vertices`.
    """
    rows = merged[faces]
    columns = np.arange(len(faces)).repeat(3)
    adjacency = csr_matrix((np.ones(rows.size, dtype), (rows.reshape(-1), columns)), (int(merged.max()) + 1, len(faces)))
    return adjacency[merged]


def face_area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Face normals (F, 3), outwards, of twice the face's area in length."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return cross_product(b - a, c - a)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray, vertex_faces: csr_matrix) -> np.ndarray:
    """Vertex normals (V, 3), outwards, unit length: area-weighted mean of the adjacent face normals; 0 without faces."""
    sums = vertex_faces @ face_area_vectors(vertices, faces)
    # Scaled by a power of two, which rounds nothing: `unit_vectors` takes very short vectors for zero, and meshes have any unit.
    _, exponent = np.frexp(np.abs(sums).max())
    return unit_vectors(np.ldexp(sums, -exponent))


def surface_area(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Surface area, unit squared."""
    return float(np.linalg.norm(face_area_vectors(vertices, faces), axis=1).sum() / 2)


def enclosed_volume(vertices: np.ndarray, faces: np.ndarray) -> float | None:
    """Enclosed volume, unit cubed; None if the mesh is not closed or its faces are oriented inconsistently."""
    if not is_closed(merge_coincident_vertices(vertices)[faces]):
        return None
    # Signed tetrahedra about the centroid: the sum is exact for any apex, and a near one loses least precision.
    centroid = vertices.mean(0)
    corners = [vertices[faces[:, k]] - centroid for k in range(3)]
    return float((corners[0] * cross_product(corners[1], corners[2])).sum() / 6)


def is_closed(faces: np.ndarray) -> bool:
    """Whether each edge of faces (F, 3) occurs exactly once in each direction; degenerate faces are ignored."""
    proper = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])].astype(np.int64)
    ends = np.concatenate([proper[:, [0, 1]], proper[:, [1, 2]], proper[:, [2, 0]]])
    count = int(faces.max()) + 1
    forward, reverse = ends @ (count, 1), ends @ (1, count)
    return bool(len(np.unique(forward)) == len(forward) and np.array_equal(np.sort(forward), np.sort(reverse)))
