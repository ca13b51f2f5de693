"""Interface and registry of person detectors."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from remi_stream.errors import unknown_name_error
from remi_stream.messages import FrameView


class ScoredBoxes(NamedTuple):
    """Detections: bounding boxes with scores."""

    boxes_xyxy: np.ndarray
    """(N, 4) float32, px of the image given: tight, whole body, not squared."""
    scores: np.ndarray
    """(N,) float32 in [0, 1]."""


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
    """Whether it needs tiling, or it misses small people in a wide image."""


DETECTORS = {
    "blazepose": DetectorEntry("remi_stream.detect.blazepose:open_blazepose_detector", ("pose_detection",)),
    "synthetic": DetectorEntry("remi_stream.detect.detector:open_synthetic_detector"),
    "yolov3": DetectorEntry("remi_stream.detect.yolov3:open_yolov3", ("yolov3",), needs_tiling=False),
    "yolov3-spp": DetectorEntry("remi_stream.detect.yolov3:open_yolov3_spp", ("yolov3_spp",), needs_tiling=False),
}


def detector_entry(name: str) -> DetectorEntry:
    """Registry entry of a detector; imports no detector."""
    if name not in DETECTORS:
        raise unknown_name_error("detector", name, DETECTORS)
    return DETECTORS[name]


def load_detector(name: str, threads: int = 1) -> Detector:
    """Load a detector by name; imports only this one."""
    module, _, attribute = detector_entry(name).factory.partition(":")
    detector: Detector = getattr(importlib.import_module(module), attribute)(threads)
    return detector


# Synthetic detector for tests and benchmarks: always one person in the middle of the image.


def open_synthetic_detector(threads: int) -> SyntheticDetector:
    """Make the detector; it needs no threads."""
    return SyntheticDetector()


class SyntheticDetector:
    """Detects the middle half of every image."""

    name = "synthetic"
    view = FrameView(longest_side=64)

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        """One box for a whole image, none for its square tiles, or there would be several people."""
        height, width = image.shape[:2]
        if width == height:
            return ScoredBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        box = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
        return ScoredBoxes(box, np.ones(1, np.float32))
