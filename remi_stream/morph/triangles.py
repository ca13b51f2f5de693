"""Polygons as triangles."""

from __future__ import annotations

import numpy as np


def fan(sizes: np.ndarray) -> np.ndarray:
    """Which corners make triangles, (F, 3), of polygons whose corners are listed one polygon after the other; sizes: (P,)."""
    starts = np.cumsum(sizes) - sizes
    counts = np.maximum(sizes - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([first, first + step + 1, first + step + 2], 1)
