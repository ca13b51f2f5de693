"""What follows from a surface's vertices and faces: its directions, its area, what it encloses."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import cross, unit

LEAST = 1e-300


def places(*vertices: np.ndarray) -> np.ndarray:
    """Vertices that lie at one place in all of these (V, 3) get one number: (V,). Files part them where textures have seams."""
    _, numbers = np.unique(np.concatenate(vertices, axis=1), axis=0, return_inverse=True)
    return numbers.reshape(-1)


def faces_around(faces: np.ndarray, places: np.ndarray) -> csr_matrix:
    """Which faces are around which vertices, (V, F) of 0 and 1; vertices at one place have all faces of that place."""
    at = places[faces]
    counts = np.arange(len(faces)).repeat(3)
    around = csr_matrix((np.ones(at.size), (at.reshape(-1), counts)), (int(places.max()) + 1, len(faces)))
    return around[places]


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vectors (F, 3) outwards, twice as long as the faces are large."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return cross(b - a, c - a)


def normals(vertices: np.ndarray, faces: np.ndarray, around: csr_matrix) -> np.ndarray:
    """Directions (V, 3) outwards, of length 1: the mean of the faces around a vertex, the large ones more; 0 without any."""
    sums = around @ face_areas(vertices, faces)
    return unit(sums / max(float(np.abs(sums).max()), LEAST))


def area(vertices: np.ndarray, faces: np.ndarray) -> float:
    """The surface's area, unit squared."""
    return float(np.linalg.norm(face_areas(vertices, faces), axis=1).sum() / 2)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float | None:
    """What a surface without a hole encloses, unit cubed; None if it has one, or if its faces look different ways."""
    if not is_closed(places(vertices)[faces]):
        return None
    middle = vertices.mean(0)
    corners = [vertices[faces[:, k]] - middle for k in range(3)]
    return float((corners[0] * cross(corners[1], corners[2])).sum() / 6)


def is_closed(faces: np.ndarray) -> bool:
    """Whether each edge of faces (F, 3) is passed once in each direction."""
    whole = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])].astype(np.int64)
    ends = np.concatenate([whole[:, [0, 1]], whole[:, [1, 2]], whole[:, [2, 0]]])
    count = int(faces.max()) + 1
    there, back = ends @ (count, 1), ends @ (1, count)
    return bool(len(np.unique(there)) == len(there) and np.array_equal(np.sort(there), np.sort(back)))
