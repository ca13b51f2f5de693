"""Polygon triangulation."""

from __future__ import annotations

import numpy as np


def fan_triangles(sizes: np.ndarray) -> np.ndarray:
    """Triangulate polygons as fans: corner indices (F, 3). sizes: (P,), corners per polygon, which are numbered consecutively."""
    starts = np.cumsum(sizes) - sizes
    counts = np.maximum(sizes - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([first, first + step + 1, first + step + 2], 1)
