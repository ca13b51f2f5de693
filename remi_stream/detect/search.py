"""Search passes: the parts of an image that a detector gets, and the quarter turns that show it people who lie, bend or hang."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from remi_stream.detect.detector import Rectangle, ScoredBoxes, detector_entry, detector_tiles

Posture = Literal["any", "upright"]
"""Which people are searched for: in any posture, or upright ones, which needs no turned passes."""

GRID_SIDE = 0.6
"""Side of a grid tile, in the image's shorter side."""
GRID_STEP = 0.6
"""Largest distance of two grid tiles, in their sides: a person of up to 0.4 of a tile is whole in one of them."""
MAX_GRID_TILES = 30
"""More are not searched: an image longer than 5:1 has only its full-height tiles."""
TURNED = (1, 3, 2)
"""Quarter turns of the whole image, lying people first."""


class SearchPass(NamedTuple):
    """One run of the detector."""

    rectangle: Rectangle
    """What it gets of the image."""
    quarter_turns: int = 0
    """Anticlockwise quarter turns of that part before the detector gets it."""

    def turned(self, image: np.ndarray) -> np.ndarray:
        """Return the image of the rectangle, (H, W, 3), as the detector gets it."""
        return np.ascontiguousarray(np.rot90(image, self.quarter_turns))

    def turned_back(self, found: ScoredBoxes, size: tuple[int, int]) -> ScoredBoxes:
        """Return the detections in a turned image as detections in the image of (width, height) px before its turns."""
        if not self.quarter_turns:
            return found
        boxes = found.boxes_xyxy
        # the widths of the images that are left after each turn back, the last turn first
        for turn in range(self.quarter_turns, 0, -1):
            width = size[(turn - 1) % 2]
            boxes = np.stack([width - boxes[:, 3], boxes[:, 0], width - boxes[:, 1], boxes[:, 2]], 1)
        rolls = None if found.rolls_rad is None else wrapped_angle(found.rolls_rad + np.float32(self.quarter_turns * np.pi / 2))
        return found._replace(boxes_xyxy=boxes.astype(np.float32), rolls_rad=rolls)


def all_search_passes(name: str, size: tuple[int, int], posture: Posture = "any") -> list[SearchPass]:
    """Return every search pass of a detector over an image of (width, height) px: whole, tiles, grid, then the turned ones."""
    passes = [SearchPass(rectangle) for rectangle in detector_tiles(name, size)]
    if not detector_entry(name).needs_tiling:
        return passes
    return passes + grid_passes(size) + (turned_passes(size) if posture == "any" else [])


def grid_passes(size: tuple[int, int]) -> list[SearchPass]:
    """Return the grid of small square tiles over an image of (width, height) px, row by row."""
    side = GRID_SIDE * min(size)
    xs, ys = (_starts(length, side) for length in size)
    if len(xs) * len(ys) > MAX_GRID_TILES:
        return []
    return [SearchPass((x, y, x + side, y + side)) for y in ys for x in xs]


def turned_passes(size: tuple[int, int]) -> list[SearchPass]:
    """Return the passes over a whole image of (width, height) px, turned."""
    return [SearchPass((0.0, 0.0, float(size[0]), float(size[1])), turns) for turns in TURNED]


def wrapped_angle(angles_rad: np.ndarray) -> np.ndarray:
    """Return angles in -pi to pi."""
    return (angles_rad + np.pi) % (2 * np.pi) - np.pi


def _starts(length: int, side: float) -> list[float]:
    """Return where tiles of one side begin that cover a length, px."""
    count = math.ceil((length - side) / (GRID_STEP * side)) + 1
    return [(length - side) * index / (count - 1) for index in range(count)]
