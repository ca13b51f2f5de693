"""Triangle rasteriser in NumPy: scan lines of all triangles, then pixels of all scan lines, vectorised."""

from __future__ import annotations

from functools import cache

import numpy as np

from remi_stream.geometry import unit_vectors
from remi_stream.render.colours import track_colour

EDGE_TOLERANCE_PX = 1e-9
"""Tolerance at triangle edges, so that two triangles with a common edge leave no gap."""


def visible_triangles(triangles_px: np.ndarray, depths: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Find the visible triangle of each pixel: pixel indices (P,), y * width + x, and triangle indices (P,). Painter's algorithm.

    triangles_px: (F, 3, 2), px, integers are pixel centres; depths: (F,), one per triangle; size: (width, height) px.
    """
    width, height = size
    far_first = np.argsort(-depths, kind="stable")
    pixels, faces = covered_pixels(triangles_px[far_first], size)
    nearest = np.full(width * height, -1, np.intp)
    nearest[pixels] = faces  # of repeated indices NumPy keeps the last one, here the nearest
    filled = np.flatnonzero(nearest >= 0)
    return filled, far_first[nearest[filled]]


def covered_pixels(triangles_px: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """List the pixels whose centres are inside a triangle, by triangle: pixel indices (P,) and triangle indices (P,)."""
    width, height = size
    faces, y, ends = scan_lines(triangles_px, height)
    first = np.ceil(np.clip(ends.min(0) - EDGE_TOLERANCE_PX, -1, width)).astype(np.intp).clip(0)
    last = np.floor(np.clip(ends.max(0) + EDGE_TOLERANCE_PX, -1, width)).astype(np.intp).clip(None, width - 1)
    counts = np.maximum(last - first + 1, 0)
    return concatenate_ranges(y * width + first, counts), np.repeat(faces, counts)


def scan_lines(triangles_px: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the scan lines of triangles: triangle index (R,), y (R,), and x where two edges cross the scan line (2, R) px."""
    (ax, ay), (bx, by), (cx, cy) = sort_corners_by_y(triangles_px)
    first = np.ceil(np.clip(ay - EDGE_TOLERANCE_PX, -1, height)).astype(np.intp).clip(0)
    last = np.floor(np.clip(cy + EDGE_TOLERANCE_PX, -1, height)).astype(np.intp).clip(None, height - 1)
    counts = np.maximum(last - first + 1, 0)
    faces, y = np.repeat(np.arange(len(counts)), counts), concatenate_ranges(first, counts)
    lower = (y >= np.where(by == cy, np.inf, by)[faces]) * len(counts)
    short = np.concatenate([edge_lines(ax, ay, bx, by), edge_lines(bx, by, cx, cy)], -1)
    sides = [edge_lines(ax, ay, cx, cy)[:, faces], short[:, faces + lower]]
    return faces, y, np.stack([at_zero + slope * y for at_zero, slope in sides])


def sort_corners_by_y(triangles_px: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sort the corners of each triangle by y: three times x (F,) and y (F,)."""
    corners = [(triangles_px[:, k, 0], triangles_px[:, k, 1]) for k in range(3)]
    for a, b in ((0, 1), (1, 2), (0, 1)):
        (ax, ay), (bx, by) = corners[a], corners[b]
        swap = ay > by
        corners[a] = np.where(swap, bx, ax), np.where(swap, by, ay)
        corners[b] = np.where(swap, ax, bx), np.where(swap, ay, by)
    return corners


def edge_lines(ax: np.ndarray, ay: np.ndarray, bx: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Edges from a to b as x at y = 0 and slope dx/dy: (2, F); a horizontal edge counts as vertical at b."""
    fall = by - ay
    slope = np.where(fall > 0, (bx - ax) / np.where(fall > 0, fall, 1), 0)
    return np.stack([bx - slope * by, slope])


def concatenate_ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Concatenate the ranges start, start + 1, ... of lengths counts (N,) for all starts (N,)."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - ends + counts, counts) + np.arange(total)


def interpolation_planes(triangles_px: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation of corner values (F, 3) over triangles: gradient in x, gradient in y, value at (0, 0), (F, 3)."""
    ax, ay = triangles_px[:, 0, 0], triangles_px[:, 0, 1]
    abx, aby = triangles_px[:, 1, 0] - ax, triangles_px[:, 1, 1] - ay
    acx, acy = triangles_px[:, 2, 0] - ax, triangles_px[:, 2, 1] - ay
    area = abx * acy - aby * acx
    area = np.where(area == 0, np.inf, area)
    b, c = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    along_x, along_y = (b * acy - c * aby) / area, (c * abx - b * acx) / area
    return np.stack([along_x, along_y, values[:, 0] - along_x * ax - along_y * ay], -1)


# Shading: brightness from normals with key light, fill light, sky and specular highlight, and colour ramps.


KEY_LIGHT = unit_vectors(np.array([-0.45, -0.65, -0.6]))
"""Direction to the key light, rendering camera's axes (x right, y down, z forward): above the left shoulder."""
FILL_LIGHT = unit_vectors(np.array([0.8, -0.1, -0.6]))
SKY_LIGHT = np.array([0.0, -1.0, 0.0])
RAMP_STEPS = 256
SHADOW_LEVEL, HIGHLIGHT_LEVEL = 0.3, 0.62
"""Share of the colour that is left in the dark, and of white in the brightest highlight."""
NEUTRAL_BRIGHTNESS = 0.75
"""The brightness that shows the unchanged colour."""


def brightness(normals: np.ndarray) -> np.ndarray:
    """Shade points with normals (V, 3), rendering camera's axes: brightness (V,) in [0, 1]."""
    # Blinn-Phong: the half vector between the key light and the view direction, exponent 24.
    key, fill, sky = (normals @ side.astype(normals.dtype) for side in (KEY_LIGHT, FILL_LIGHT, SKY_LIGHT))
    shine = (normals @ unit_vectors(KEY_LIGHT - (0, 0, 1)).astype(normals.dtype)).clip(0) ** 24
    return (0.14 + 0.46 * key.clip(0) + 0.12 * fill.clip(0) + 0.09 * (1 + sky) / 2 + 0.28 * shine).clip(0, 1)


@cache
def track_ramp(track_id: int) -> np.ndarray:
    """Colour ramp of a track from dark to bright, (RAMP_STEPS, 3) uint8 BGR."""
    colour = np.array(track_colour(track_id)[::-1], float)
    at, ends = (0.0, NEUTRAL_BRIGHTNESS, 1.0), (colour * SHADOW_LEVEL, colour, colour + (255 - colour) * HIGHLIGHT_LEVEL)
    steps = np.linspace(0, 1, RAMP_STEPS)
    return np.stack([np.interp(steps, at, channel) for channel in zip(*ends)], -1).round().astype(np.uint8)
