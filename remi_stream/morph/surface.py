"""Mesh geometry: vertex normals, surface area, enclosed volume, closedness."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import cross_product, unit_vectors
from remi_stream.render.camera import Size
from remi_stream.render.rasteriser import HIGHLIGHT_LEVEL, NEUTRAL_BRIGHTNESS, SHADOW_LEVEL, brightness

MIN_NORMAL = 1e-300
"""Keeps the normalisation finite when all faces are degenerate."""


def merge_coincident_vertices(*vertices: np.ndarray) -> np.ndarray:
    """Number vertices (V,) so that those coincident in all of these (V, 3) share a number: files split vertices at UV seams."""
    _, numbers = np.unique(np.concatenate(vertices, axis=1), axis=0, return_inverse=True)
    return numbers.reshape(-1)


def vertex_face_matrix(faces: np.ndarray, merged: np.ndarray) -> csr_matrix:
    """Vertex-face adjacency matrix (V, F) of 0 and 1; coincident vertices share the faces of all of them."""
    rows = merged[faces]
    columns = np.arange(len(faces)).repeat(3)
    adjacency = csr_matrix((np.ones(rows.size), (rows.reshape(-1), columns)), (int(merged.max()) + 1, len(faces)))
    return adjacency[merged]


def face_area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Face normals (F, 3), outwards, of twice the face's area in length."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return cross_product(b - a, c - a)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray, vertex_faces: csr_matrix) -> np.ndarray:
    """Vertex normals (V, 3), outwards, unit length: area-weighted mean of the adjacent face normals; 0 without faces."""
    sums = vertex_faces @ face_area_vectors(vertices, faces)
    return unit_vectors(sums / max(float(np.abs(sums).max()), MIN_NORMAL))


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


# Shading of vertex colours, and the background image.


BACKGROUND_TOP, BACKGROUND_BOTTOM = (248, 249, 250), (222, 226, 230)
"""The background, RGB, at the top and at the bottom."""
DEFAULT_COLOUR = (104, 163, 178)
"""RGB of a mesh without colours."""
FLAT_SHADOW_LEVEL = 0.62
"""Minimum brightness in flat shading: heatmap colours must stay readable."""


def background_image(size: Size) -> np.ndarray:
    """Make the background, a vertical gradient, (h, w, 3) uint8 RGB."""
    width, height = size
    down = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(BACKGROUND_TOP) + (np.array(BACKGROUND_BOTTOM) - np.array(BACKGROUND_TOP)) * down
    return np.broadcast_to(rows.round().astype(np.uint8), (height, width, 3)).copy()


def shade_colours(colours: np.ndarray, normals: np.ndarray, flat_shading: bool) -> np.ndarray:
    """Shade colours (V, 3), RGB 0 to 255, to float32. normals: (V, 3), camera axes. flat_shading: no highlights, soft shadows."""
    light = brightness(normals)[:, None]
    dark = (light / NEUTRAL_BRIGHTNESS).clip(0, 1)
    if flat_shading:
        return (colours * (FLAT_SHADOW_LEVEL + (1 - FLAT_SHADOW_LEVEL) * dark)).astype(np.float32)
    lit = colours * (SHADOW_LEVEL + (1 - SHADOW_LEVEL) * dark)
    return (
        lit + (255 - colours) * (HIGHLIGHT_LEVEL * ((light - NEUTRAL_BRIGHTNESS) / (1 - NEUTRAL_BRIGHTNESS)).clip(0, 1))
    ).astype(np.float32)
