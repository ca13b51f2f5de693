"""YOLOv3 as the published programs run it: in POCO's and PARE's tracker, and in AlphaPose.

Redmon and Farhadi, "YOLOv3: an incremental improvement" (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.detect.detector import Found
from remi_stream.detect.letterbox import from_letterboxed, from_padded, letterboxed, padded
from remi_stream.detect.suppression import PERSON, candidates, merged, thinned
from remi_stream.messages import View
from remi_stream.models.manifest import find_manifest
from remi_stream.networks.network import find_network
from remi_stream.runtimes.runtime import Runtime, load_weights

TRACKER_OVERLAP, ALPHAPOSE_OVERLAP = 0.4, 0.6


class Convention(NamedTuple):
    """What a program does around the network.

    fit: image (H, W, 3) uint8 BGR and the square's side px -> (side, side, 3) uint8 RGB. back: boxes (N, 4) px of the square,
    its side, (width, height) px -> px of the picture. choose: rows (N, 85) of the network -> (M, 5): x0 y0 x1 y1 px of the
    square, score.
    """

    fit: Callable[[np.ndarray, int], np.ndarray]
    back: Callable[[np.ndarray, int, tuple[int, int]], np.ndarray]
    choose: Callable[[np.ndarray], np.ndarray]


class Yolov3:
    """Finds people in one look at the whole picture. side: of the network's square, px."""

    def __init__(self, name: str, network: Runtime, convention: Convention, side: int) -> None:
        self.name = name
        self.view = View(longest_side=side)
        self._network, self._convention, self._side = network, convention, side

    def find(self, image: np.ndarray) -> Found:
        """Find people in image (H, W, 3) uint8 BGR; boxes in px of that image, cut off at its edges."""
        return self.find_all([image])[0]

    def find_all(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Find people in several images, in one call of the network."""
        pictures = np.stack([self._convention.fit(image, self._side) for image in images])
        rows = self._network.run({"image": pictures})["rows"]
        return [self._people(image, own) for image, own in zip(images, rows)]

    def _people(self, image: np.ndarray, rows: np.ndarray) -> Found:
        size = (image.shape[1], image.shape[0])
        people = self._convention.choose(rows)
        boxes = self._convention.back(people[:, :4], self._side, size)
        scores = np.clip(people[:, 4], 0, 1).astype(np.float32)
        return Found(np.clip(boxes, 0, np.tile(size, 2)).astype(np.float32), scores)


def trackers(least_objectness: float, least_score: float) -> Convention:
    """What POCO's and PARE's tracker does; a score is the objectness times the class's."""

    def choose(rows: np.ndarray) -> np.ndarray:
        found = merged(candidates(rows, least_objectness), TRACKER_OVERLAP)
        scores = found[:, 4] * found[:, 5]
        return np.column_stack([found[:, :4], scores])[(found[:, 6] == PERSON) & (scores > least_score)]

    return Convention(padded, from_padded, choose)


def alphaposes(least_objectness: float) -> Convention:
    """What AlphaPose does; a score is the objectness."""

    def choose(rows: np.ndarray) -> np.ndarray:
        found = candidates(rows, least_objectness)
        return thinned(found[found[:, 6] == PERSON], ALPHAPOSE_OVERLAP)[:, :5]

    return Convention(letterboxed, from_letterboxed, choose)


def open_yolov3(threads: int) -> Yolov3:
    """Load YOLOv3 with the tracker's convention."""
    return _open("yolov3", trackers, threads)


def open_yolov3_spp(threads: int) -> Yolov3:
    """Load YOLOv3-SPP with AlphaPose's convention."""
    return _open("yolov3-spp", alphaposes, threads)


def _open(name: str, convention: Callable[..., Convention], threads: int) -> Yolov3:
    """The manifest's options are the convention's thresholds; the side is the network's."""
    manifest = find_manifest(name, "detector")
    picture = find_network(manifest.weights[0].network).picture
    assert picture is not None
    settings = {**manifest.runtimes[manifest.runtime], "threads": threads}
    network = load_weights(manifest.weights[0], manifest.runtime, **settings)
    return Yolov3(name, network, convention(**manifest.options), picture.width)
