"""Where to look: the whole picture, then square parts of it in turn, so that people far away are found too."""

from __future__ import annotations

import math

Rectangle = tuple[float, float, float, float]

OVERLAP = 0.6
"""Parts share this much with their neighbours: somebody at the edge of one is well inside the next."""


def looks(size: tuple[int, int]) -> list[Rectangle]:
    """Give the rectangles x0 y0 x1 y1 px to look at, one at a time, for a picture of (width, height) px."""
    width, height = size
    side = min(width, height)
    spare = max(width, height) - side
    whole = (0.0, 0.0, float(width), float(height))
    if spare < 0.1 * side:
        return [whole]
    parts = math.ceil(spare / (side * (1 - OVERLAP))) + 1
    starts = [spare * index / (parts - 1) for index in range(parts)]
    if width > height:
        return [whole, *((start, 0.0, start + side, float(height)) for start in starts)]
    return [whole, *((0.0, start, float(width), start + side) for start in starts)]
