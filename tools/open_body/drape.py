"""How cloth lies over a skin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from open_body.mesh import softened, unit, vertex_areas, vertex_normals

Array = NDArray[Any]

FOLD_M = 0.028  # cloth spans bumps and hollows of about this size


def drape(skin: Array, faces: Array, worn: Array) -> Array:
    """What cloth adds to skin (V, 3), m, as far as it is worn (V,), 0..1: offsets that bridge bumps and hollows.

    Each vertex goes to the height of the mean skin about FOLD_M around it that faces its way, every area alike.
    """
    rows = np.flatnonzero(worn > 0)
    smooth = skin + worn[:, None] * (softened(skin, faces, 6) - skin)
    normals = unit(softened(vertex_normals(smooth, faces), faces, 12))
    tree = cKDTree(smooth[rows])
    near = tree.sparse_distance_matrix(tree, 3 * FOLD_M, output_type="coo_matrix")
    a, b = rows[near.row], rows[near.col]
    weights = np.exp(-0.5 * (near.data / FOLD_M) ** 2) * vertex_areas(smooth, faces)[b]
    weights *= np.einsum("na,na->n", normals[a], normals[b]) > 0.3
    heights = np.einsum("na,na->n", smooth[b] - smooth[a], normals[a])
    mean = np.bincount(a, weights * heights, len(skin)) / np.maximum(np.bincount(a, weights, len(skin)), 1e-12)
    return smooth - skin + (worn * mean)[:, None] * normals
