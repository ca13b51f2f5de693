"""Tiling: the whole image, then overlapping square tiles of it, so that small people are detected too."""

from __future__ import annotations

import math

Rectangle = tuple[float, float, float, float]
"""x0 y0 x1 y1, px of the full image."""

TILE_OVERLAP = 0.6
"""Share of a tile that it has in common with the next: a person at the edge of one is well inside the other."""


def tile_rectangles(size: tuple[int, int]) -> list[Rectangle]:
    """Rectangles for the detector, whole image first, for an image of (width, height) px."""
    width, height = size
    side = min(width, height)
    excess = max(width, height) - side
    whole = (0.0, 0.0, float(width), float(height))
    if excess < 0.1 * side:
        return [whole]
    count = math.ceil(excess / (side * (1 - TILE_OVERLAP))) + 1
    starts = [excess * index / (count - 1) for index in range(count)]
    if width > height:
        return [whole, *((start, 0.0, start + side, float(height)) for start in starts)]
    return [whole, *((0.0, start, float(width), start + side) for start in starts)]
