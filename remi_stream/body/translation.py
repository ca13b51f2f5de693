"""Where a body stands: the translation that makes its points project onto what was seen."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import Intrinsics, rays


def translation(points: np.ndarray, pixels: np.ndarray, weights: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Give t (3,), m, camera frame, so that points (N, 3) + t project to pixels (N, 2); weights: (N,), 0 ignores a point.

    x + tx = u (z + tz) is linear in t, where u is the pixel's ray: two equations a point, in the least squares sense. Each
    is divided by the point's depth of a first solution, so that it counts in pixels, not in metres.
    """
    u = rays(pixels, intrinsics)
    rows = np.zeros((len(points), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = 1
    rows[:, :, 2] = -u
    wanted = u * points[:, 2:] - points[:, :2]
    found = solve(rows, wanted, weights)
    depths = np.maximum(points[:, 2] + found[2], 0.1)
    return solve(rows, wanted, weights / depths**2)


def solve(rows: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares for 3 unknowns: rows (N, 2, 3), wanted (N, 2), weights (N,)."""
    weighted = rows * weights[:, None, None]
    normal = np.einsum("nki,nkj->ij", weighted, rows)
    return np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(3), np.einsum("nki,nk->i", weighted, wanted))
