"""Translation of a body from 2D-3D correspondences, by weighted linear least squares."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import Intrinsics, unproject


def fit_translation(points: np.ndarray, pixels: np.ndarray, weights: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Solve for t (3,), m, camera frame, so that points (N, 3) + t project to pixels (N, 2); weights: (N,), 0 ignores a point.

    x + tx = u (z + tz) is linear in t, where u is the pixel's ray: two equations per point. A second solution divides each by
    the point's depth of the first, so that errors count in pixels, not in metres.
    """
    u = unproject(pixels, intrinsics)
    rows = np.zeros((len(points), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = 1
    rows[:, :, 2] = -u
    targets = u * points[:, 2:] - points[:, :2]
    found = weighted_least_squares(rows, targets, weights)
    depths = np.maximum(points[:, 2] + found[2], 0.1)
    return weighted_least_squares(rows, targets, weights / depths**2)


def weighted_least_squares(rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve weighted least squares for 3 unknowns: rows (N, 2, 3), targets (N, 2), weights (N,)."""
    weighted = rows * weights[:, None, None]
    normal = np.einsum("nki,nkj->ij", weighted, rows)
    # the small diagonal keeps the normal matrix regular when fewer than two points have a weight
    return np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(3), np.einsum("nki,nk->i", weighted, targets))
