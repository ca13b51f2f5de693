"""Furniture: axis-aligned blocks that stand in the room and hide what is behind them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Block(NamedTuple):
    """An axis-aligned block, m, world."""

    low: tuple[float, float, float]
    """Its corner with the least coordinates."""
    high: tuple[float, float, float]
    """The opposite corner."""


def table(x: float, z: float, width: float, depth: float, height: float) -> list[Block]:
    """Make a table with closed front and sides, its middle at x, z, m."""
    left, right, back, front, board = x - width / 2, x + width / 2, z - depth / 2, z + depth / 2, 0.04
    return [
        Block((left, height - board, back), (right, height, front)),
        Block((left + 0.05, 0.0, front - 0.1), (right - 0.05, height - board, front - 0.06)),
    ]


def block_triangles(block: Block) -> Array:
    """Triangles of a block: (36, 6), position, m, and normal."""
    corners = np.array([block.low, block.high])
    rows = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for side in (0, 1):
            normal = np.eye(3)[axis] * (2 * side - 1)
            square = np.empty((4, 3))
            square[:, axis] = corners[side, axis]
            square[:, others[0]] = corners[[0, 1, 1, 0], others[0]]
            square[:, others[1]] = corners[[0, 0, 1, 1], others[1]]
            rows += [np.r_[square[corner], normal] for corner in (0, 1, 2, 0, 2, 3)]
    return np.array(rows)
