"""Person detectors: their interface, their registry, and the tiles of a frame that they get."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from remi_stream.errors import unknown_name_error
from remi_stream.messages import FrameView
from remi_stream.plugins import import_from_string

Rectangle = tuple[float, float, float, float]
"""x0 y0 x1 y1, px of the full image."""

TILE_OVERLAP = 0.6
"""Share of a tile that it has in common with the next: a person at the edge of one is well inside the other. Measured recall in
1280x720 with three tiles, by the person's diameter: 1.0 at 274 px, 0.95 at 196, 0.05 at 141; without tiles 0.45, 0, 0."""
MAX_TILES = 16
"""Tiles beside the whole image, enough for 7:1; without a limit an image of 16384 x 8 px took 5120 passes of the detector."""


class ScoredBoxes(NamedTuple):
    """Detections: bounding boxes with scores."""

    boxes_xyxy: np.ndarray
    """(N, 4) float32, px of the image given: tight, whole body, not squared."""
    scores: np.ndarray
    """(N,) float32 in [0, 1]."""
    circles_px: np.ndarray | None = None
    """(N, 2, 2) float32, px: centre of each body's circle, between the hips, and its point beyond the head, which may lie outside
    the image; None: the detector sees no circles."""


class Detector(Protocol):
    """A person detector; `detect/stage.py` runs it."""

    name: str
    view: FrameView
    """Image size it works best on: capture scales frames to it before they are sent."""

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        """Detect people in image (H, W, 3) uint8 BGR; boxes in px of that image."""
        ...


@runtime_checkable
class BatchDetector(Protocol):
    """A detector that supports batches, for offline use."""

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[ScoredBoxes]:
        """Detect people in several images (H, W, 3) uint8 BGR with one inference; boxes in px of their image."""
        ...


class DetectorEntry(NamedTuple):
    """Registry entry of a detector."""

    factory: str
    """Factory, "module:function"; takes the number of threads."""
    model_files: tuple[str, ...] = ()
    """Names of its model files."""
    needs_tiling: bool = True
    """Whether it needs tiling, because it misses small people in a wide image."""


DETECTORS = {
    "blazepose": DetectorEntry("remi_stream.detect.blazepose:open_blazepose_detector", ("pose_detection",)),
    "synthetic": DetectorEntry("remi_stream.detect.detector:open_synthetic_detector"),
    "yolov3": DetectorEntry("remi_stream.detect.yolov3:open_yolov3", ("yolov3",), needs_tiling=False),
    "yolov3-spp": DetectorEntry("remi_stream.detect.yolov3:open_yolov3_spp", ("yolov3_spp",), needs_tiling=False),
}


def detector_entry(name: str) -> DetectorEntry:
    """Return the registry entry of a detector; imports no detector."""
    if name not in DETECTORS:
        raise unknown_name_error("detector", name, DETECTORS)
    return DETECTORS[name]


def load_detector(name: str, threads: int = 1) -> Detector:
    """Load a detector by name; imports only this one."""
    detector: Detector = import_from_string(detector_entry(name).factory)(threads)
    return detector


def detector_tiles(name: str, size: tuple[int, int]) -> list[Rectangle]:
    """Return what a detector gets of an image of (width, height) px: the whole image, then its tiles if it needs tiling."""
    tiles = tile_rectangles(size)
    return tiles if detector_entry(name).needs_tiling else tiles[:1]


def tile_rectangles(size: tuple[int, int]) -> list[Rectangle]:
    """Return the tiles of an image: the whole image, then overlapping squares, so that small people are detected too.

    size: (width, height) px of the image. In an image longer than `MAX_TILES` squares cover, the tiles are longer than wide.
    """
    width, height = size
    short, long = min(width, height), max(width, height)
    whole = (0.0, 0.0, float(width), float(height))
    if long - short < 0.1 * short:  # tiles would only repeat the whole image
        return [whole]
    length = max(float(short), long / (1 + (MAX_TILES - 1) * (1 - TILE_OVERLAP)))
    excess = long - length
    count = min(MAX_TILES, math.ceil(excess / (length * (1 - TILE_OVERLAP))) + 1)
    starts = [excess * index / (count - 1) for index in range(count)]
    if width > height:
        return [whole, *((start, 0.0, start + length, float(height)) for start in starts)]
    return [whole, *((0.0, start, float(width), start + length) for start in starts)]


def open_synthetic_detector(threads: int) -> SyntheticDetector:
    """Make the synthetic detector; it needs no threads."""
    return SyntheticDetector()


class SyntheticDetector:
    """A detector without a network, for tests and benchmarks: always one person in the middle half of the image."""

    name = "synthetic"
    view = FrameView(longest_side=64)

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        """Return one box for a whole image, none for its square tiles, or there would be several people."""
        height, width = image.shape[:2]
        if width == height:
            return ScoredBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        box = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
        return ScoredBoxes(box, np.ones(1, np.float32))
