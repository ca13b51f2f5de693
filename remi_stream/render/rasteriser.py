"""Triangle rasteriser in NumPy: scan lines of all triangles, then pixels of all scan lines, vectorised.

Hidden surfaces are removed by triangle (`visible_triangles`, the painter's algorithm, for bodies of many small triangles) or by
pixel (`z_buffer`, also right for triangles that cross).
"""

from __future__ import annotations

import numpy as np

EDGE_TOLERANCE_PX = 1e-9
"""Tolerance at triangle edges, so that two triangles with a common edge leave no gap."""
DEPTH_STEPS = 2.0**31
"""Quantisation steps of the depth: with the triangle index they fill one 64-bit integer."""
EMPTY_PIXEL = np.uint64(2**64 - 1)
"""z-buffer value of empty pixels."""
FACE_MASK = np.uint64(2**32 - 1)
"""Mask of the triangle index in a z-buffer value."""


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


def z_buffer(triangles_px: np.ndarray, inverse_depths: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Find the visible triangle of each pixel with a z-buffer: pixel indices (P,), y * width + x, and triangle indices (P,).

    triangles_px: (F, 3, 2) px; inverse_depths: (F, 3), 1 / depth of the corners, which is linear in image coordinates.
    """
    width, height = size
    pixels, faces = covered_pixels(triangles_px, size)
    y, x = np.divmod(pixels, width)
    low, high = inverse_depths.min(1), inverse_depths.max(1)
    # clipped to the corners: extrapolation at the edges of thin triangles would put them in front
    at_pixels = np.clip(evaluate_planes(interpolation_planes(triangles_px, inverse_depths)[faces], x, y), low[faces], high[faces])
    minimum, maximum = (float(low.min()), float(high.max())) if len(low) else (0.0, 1.0)
    depths = ((maximum - at_pixels) * (DEPTH_STEPS / max(maximum - minimum, 1e-12))).astype(np.uint64)
    # Depth in the high half and triangle index in the low half of one integer: a single minimum gives both.
    buffer = np.full(width * height, EMPTY_PIXEL)
    np.minimum.at(buffer, pixels, (depths << np.uint64(32)) | faces.astype(np.uint64))
    filled = np.flatnonzero(buffer != EMPTY_PIXEL)
    return filled, (buffer[filled] & FACE_MASK).astype(np.intp)


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
    # the long edge runs from the first corner to the last; the two short ones meet at the middle corner
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
    area = np.where(area == 0, np.inf, area)  # a degenerate triangle gets its first corner's value everywhere
    b, c = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    along_x, along_y = (b * acy - c * aby) / area, (c * abx - b * acx) / area
    return np.stack([along_x, along_y, values[:, 0] - along_x * ax - along_y * ay], -1)


def barycentric_weights(triangles_px: np.ndarray, pixels: np.ndarray, faces: np.ndarray, width: int) -> list[np.ndarray]:
    """Barycentric weights of the three corners at pixels (P,) of triangles (P,): (P,) float32 each, sum 1."""
    y, x = np.divmod(pixels, width)
    b, c = (
        evaluate_planes(interpolation_planes(triangles_px, np.tile(np.eye(3)[k], (len(triangles_px), 1)))[faces], x, y)
        for k in (1, 2)
    )
    return [share.astype(np.float32) for share in (1 - b - c, b, c)]


def evaluate_planes(planes: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Evaluate interpolation planes (P, 3) at x, y (P,)."""
    return planes[:, 0] * x + planes[:, 1] * y + planes[:, 2]


def signed_areas(points_px: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Twice the area (F,) px^2 of faces (F, 3) between points (V, 2) px: negative if front-facing, by winding order."""
    x, y = np.ascontiguousarray(points_px.T)
    (ax, bx, cx), (ay, by, cy) = (values[faces.T] for values in (x, y))
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
