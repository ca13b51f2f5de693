"""YOLOv3 detectors with the pre- and post-processing of POCO's and PARE's tracker, and of AlphaPose.

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
"""IoU thresholds of NMS in the two programs."""


class Convention(NamedTuple):
    """Pre- and post-processing of a program."""

    fit: Callable[[np.ndarray, int], np.ndarray]
    """Image (H, W, 3) uint8 BGR and the square's side, px -> (side, side, 3) uint8 RGB."""
    back: Callable[[np.ndarray, int, tuple[int, int]], np.ndarray]
    """Boxes (N, 4) px of the square, its side, (width, height) px -> px of the image."""
    choose: Callable[[np.ndarray], np.ndarray]
    """Rows (N, 85) of the network -> (M, 5): x0 y0 x1 y1 px of the square, score."""


class Yolov3:
    """YOLOv3 on the whole image. side: of the network's square input, px."""

    def __init__(self, name: str, network: Runtime, convention: Convention, side: int) -> None:
        self.name = name
        self.view = View(longest_side=side)
        self._network, self._convention, self._side = network, convention, side

    def find(self, image: np.ndarray) -> Found:
        """Detect people in image (H, W, 3) uint8 BGR; boxes in px of that image, clipped to it."""
        return self.find_all([image])[0]

    def find_all(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Detect people in several images with one inference."""
        batch = np.stack([self._convention.fit(image, self._side) for image in images])
        rows = self._network.run({"image": batch})["rows"]
        return [self._detections(image, own) for image, own in zip(images, rows)]

    def _detections(self, image: np.ndarray, rows: np.ndarray) -> Found:
        size = (image.shape[1], image.shape[0])
        people = self._convention.choose(rows)
        boxes = self._convention.back(people[:, :4], self._side, size)
        scores = np.clip(people[:, 4], 0, 1).astype(np.float32)
        return Found(np.clip(boxes, 0, np.tile(size, 2)).astype(np.float32), scores)


def trackers(least_objectness: float, least_score: float) -> Convention:
    """Convention of POCO's and PARE's tracker; a score is objectness times class score."""

    def choose(rows: np.ndarray) -> np.ndarray:
        found = merged(candidates(rows, least_objectness), TRACKER_OVERLAP)
        scores = found[:, 4] * found[:, 5]
        return np.column_stack([found[:, :4], scores])[(found[:, 6] == PERSON) & (scores > least_score)]

    return Convention(padded, from_padded, choose)


def alphaposes(least_objectness: float) -> Convention:
    """Convention of AlphaPose; a score is the objectness."""

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
    """Load a YOLOv3 network; the manifest's options are the convention's thresholds."""
    manifest = find_manifest(name, "detector")
    network_input = find_network(manifest.weights[0].network).picture
    assert network_input is not None
    settings = {**manifest.runtimes[manifest.runtime], "threads": threads}
    network = load_weights(manifest.weights[0], manifest.runtime, **settings)
    return Yolov3(name, network, convention(**manifest.options), network_input.width)
