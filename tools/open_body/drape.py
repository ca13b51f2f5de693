"""Draping of cloth over the skin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from open_body.mesh import smooth_values, unit, vertex_areas, vertex_normals

Array = NDArray[Any]

FOLD_M = 0.028  # cloth spans bumps and hollows of about this size


def drape(skin: Array, faces: Array, worn: Array) -> Array:
    """Compute offsets (V, 3) that lift skin (V, 3), m, to cloth that bridges bumps and hollows. worn: (V,), 0..1.

    Each vertex moves to the area-weighted mean height of the skin within about FOLD_M that has a similar normal.
    """
    rows = np.flatnonzero(worn > 0)
    smooth = skin + worn[:, None] * (smooth_values(skin, faces, 6) - skin)
    normals = unit(smooth_values(vertex_normals(smooth, faces), faces, 12))
    tree = cKDTree(smooth[rows])
    near = tree.sparse_distance_matrix(tree, 3 * FOLD_M, output_type="coo_matrix")
    a, b = rows[near.row], rows[near.col]
    weights = np.exp(-0.5 * (near.data / FOLD_M) ** 2) * vertex_areas(smooth, faces)[b]
    weights *= np.einsum("na,na->n", normals[a], normals[b]) > 0.3
    heights = np.einsum("na,na->n", smooth[b] - smooth[a], normals[a])
    mean = np.bincount(a, weights * heights, len(skin)) / np.maximum(np.bincount(a, weights, len(skin)), 1e-12)
    return smooth - skin + (worn * mean)[:, None] * normals
