"""Small triangles to pixels, in NumPy: for meshes whose triangles are a few pixels wide."""

from __future__ import annotations

import numpy as np

SIDES = (1, 2, 4, 8, 16, 32, 64)
"""Triangles are taken together by the sides of the square, px, that holds them; larger ones are left out."""


def visible(triangles_px: np.ndarray, depths: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Which triangle is to be seen where: pixel numbers (P,), y * width + x, each once, and triangle numbers (P,).

    triangles_px: (F, 3, 2), px, 0 is a pixel's centre; depths: (F,), the nearest is seen; size: (width, height) px.
    """
    found = [_covered(triangles_px, chosen, side, size) for chosen, side in _by_side(triangles_px)]
    pixels = np.concatenate([pixels for pixels, _ in found]) if found else np.zeros(0, np.intp)
    faces = np.concatenate([faces for _, faces in found]) if found else np.zeros(0, np.intp)
    nearest = np.full(size[0] * size[1], -1, np.intp)
    far_first = np.argsort(-depths[faces], kind="stable")
    nearest[pixels[far_first]] = faces[far_first]
    seen = np.flatnonzero(nearest >= 0)
    return seen, nearest[seen]


def _by_side(triangles_px: np.ndarray) -> list[tuple[np.ndarray, int]]:
    low, high = _first_pixels(triangles_px), np.floor(np.maximum.reduce(_corners(triangles_px)))
    width, height = (high - low + 1).T
    extent = np.where(np.minimum(width, height) > 0, np.maximum(width, height), 0)  # 0: between pixels
    bounds = (0, *SIDES)
    groups = [(np.flatnonzero((extent > less) & (extent <= side)), side) for less, side in zip(bounds, SIDES)]
    return [(chosen, side) for chosen, side in groups if len(chosen)]


def _covered(triangles_px: np.ndarray, chosen: np.ndarray, side: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The pixels whose centres are in the chosen triangles, and the triangles: (P,) each."""
    corners = triangles_px[chosen]
    rows, columns = np.divmod(np.arange(side * side), side)
    low = _first_pixels(corners)
    x, y = low[:, :1] + columns, low[:, 1:] + rows
    a, b, c = (_side_of(corners[:, k], corners[:, (k + 1) % 3], x, y) for k in range(3))
    inside = ((a >= 0) & (b >= 0) & (c >= 0)) | ((a <= 0) & (b <= 0) & (c <= 0))
    inside &= (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    which, _ = np.nonzero(inside)
    return (y[inside] * size[0] + x[inside]).astype(np.intp), chosen[which]


def _first_pixels(triangles_px: np.ndarray) -> np.ndarray:
    """The top left pixel (N, 2) of the square that holds a triangle."""
    return np.ceil(np.minimum.reduce(_corners(triangles_px)))


def _corners(triangles_px: np.ndarray) -> list[np.ndarray]:
    """The three corners, (N, 2) each: numpy reduces a list of them ten times faster than their axis."""
    return [triangles_px[:, k] for k in range(3)]


def _side_of(a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """On which side of the lines from a to b (N, 2) points x, y (N, M) are, as the sign of (N, M)."""
    dx, dy = (b - a).T[:, :, None]
    return dx * (y - a[:, 1:]) - dy * (x - a[:, :1])
