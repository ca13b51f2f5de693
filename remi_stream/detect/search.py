"""Search passes: the parts of an image that a detector gets, and the quarter turns that show it people who lie, bend or hang."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from remi_stream.config import Posture
from remi_stream.detect.detector import Rectangle, ScoredBoxes, detector_entry, detector_tiles

GRID_SIDE = 0.6
"""Side of a grid tile, in the image's shorter side."""
GRID_STEP, LIVE_GRID_STEP = 0.6, 0.7
"""Largest distance of two grid tiles, in their sides: a person of up to 0.4 of a tile is whole in one of them, live 0.3. Measured
recall of one person in 1280x720: at 135 px 1.0 with the 15 tiles of 0.6, 0.88 with the 8 of 0.7, from 165 px on the same."""
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

    @property
    def roll_rad(self) -> float:
        """Rotation in the image of the bodies that are upright for the detector, clockwise."""
        return math.remainder(self.quarter_turns * math.pi / 2, 2 * math.pi)

    def turned(self, image: np.ndarray) -> np.ndarray:
        """Return the image of the rectangle, (H, W, 3), as the detector gets it."""
        return np.ascontiguousarray(np.rot90(image, self.quarter_turns))

    def turned_back(self, found: ScoredBoxes, size: tuple[int, int]) -> ScoredBoxes:
        """Return the detections in a turned image as detections in the image of (width, height) px before its turns."""
        if not self.quarter_turns:
            return found
        boxes, circles = found.boxes_xyxy, found.circles_px
        # the widths of the images that are left after each turn back, the last turn first
        for turn in range(self.quarter_turns, 0, -1):
            width = size[(turn - 1) % 2]
            boxes = np.stack([width - boxes[:, 3], boxes[:, 0], width - boxes[:, 1], boxes[:, 2]], 1)
            circles = None if circles is None else np.stack([width - circles[..., 1], circles[..., 0]], -1)
        return found._replace(boxes_xyxy=boxes, circles_px=circles)


def all_search_passes(name: str, size: tuple[int, int], posture: Posture = "any") -> list[SearchPass]:
    """Return every search pass of a detector over an image of (width, height) px: whole, tiles, grid, then the turned ones."""
    passes = [SearchPass(rectangle) for rectangle in detector_tiles(name, size)]
    if not detector_entry(name).needs_tiling:
        return passes
    return passes + grid_passes(size) + (turned_passes(size) if posture == "any" else [])


def live_search_passes(name: str, size: tuple[int, int], posture: Posture = "any") -> list[SearchPass]:
    """Return the search passes of a detector over a camera's images of (width, height) px in their order, to be repeated.

    Every third is the whole image, in which most people are found, and every third a full-height tile, so that people at the
    usual distances do not wait for the others: the grid, with a turned pass after every second of its tiles.
    """
    whole, *tiles = (SearchPass(rectangle) for rectangle in detector_tiles(name, size))
    if not detector_entry(name).needs_tiling:
        return [whole]
    rare = grid_passes(size, LIVE_GRID_STEP)
    if posture == "any":
        turned = itertools.cycle(turned_passes(size))
        rare = [each for index, tile in enumerate(rare) for each in ([tile, next(turned)] if index % 2 else [tile])]
        rare = rare or turned_passes(size)
    usual = itertools.cycle(tiles)
    return [each for one in rare for each in (whole, *([next(usual)] if tiles else []), one)] or [whole]


def grid_passes(size: tuple[int, int], step: float = GRID_STEP) -> list[SearchPass]:
    """Return the grid of small square tiles over an image of (width, height) px, row by row. step: at most, in their sides."""
    side = GRID_SIDE * min(size)
    xs, ys = (_starts(length, side, step * side) for length in size)
    if len(xs) * len(ys) > MAX_GRID_TILES:
        return []
    return [SearchPass((x, y, x + side, y + side)) for y in ys for x in xs]


def turned_passes(size: tuple[int, int]) -> list[SearchPass]:
    """Return the passes over a whole image of (width, height) px, turned."""
    return [SearchPass((0.0, 0.0, float(size[0]), float(size[1])), turns) for turns in TURNED]


def _starts(length: int, side: float, step: float) -> list[float]:
    """Return where tiles of one side begin that cover a length with at most a step between two, px."""
    count = math.ceil((length - side) / step) + 1
    return [(length - side) * index / (count - 1) for index in range(count)]
