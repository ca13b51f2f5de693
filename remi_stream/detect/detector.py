"""Interface and registry of person detectors."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from remi_stream.errors import unknown
from remi_stream.messages import View


class Found(NamedTuple):
    """Detections: bounding boxes with scores."""

    boxes_xyxy: np.ndarray
    """(N, 4) float32, px of the image given: tight, whole body, not squared."""
    scores: np.ndarray
    """(N,) float32 in [0, 1]."""


class Detector(Protocol):
    """A person detector; `detect/stage.py` runs it."""

    name: str
    view: View
    """Image size it works best on: capture scales frames to it before they are sent."""

    def find(self, image: np.ndarray) -> Found:
        """Detect people in image (H, W, 3) uint8 BGR; boxes in px of that image."""
        ...


@runtime_checkable
class FindsAll(Protocol):
    """A detector that supports batches, for offline use."""

    def find_all(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Detect people in several images (H, W, 3) uint8 BGR with one inference; boxes in px of their image."""
        ...


class Known(NamedTuple):
    """Registry entry of a detector."""

    make: str
    """Factory, "module:function"; takes the number of threads."""
    files: tuple[str, ...] = ()
    """Names of its model files."""
    parts: bool = True
    """Whether it needs tiling, or it misses small people in a wide image."""


DETECTORS = {
    "blazepose": Known("remi_stream.detect.blazepose:open_detector", ("pose_detection",)),
    "synthetic": Known("remi_stream.detect.synthetic:open_detector"),
    "yolov3": Known("remi_stream.detect.yolov3:open_yolov3", ("yolov3",), parts=False),
    "yolov3-spp": Known("remi_stream.detect.yolov3:open_yolov3_spp", ("yolov3_spp",), parts=False),
}


def find_detector(name: str) -> Known:
    """Registry entry of a detector; imports no detector."""
    if name not in DETECTORS:
        raise unknown("detector", name, DETECTORS)
    return DETECTORS[name]


def load_detector(name: str, threads: int = 1) -> Detector:
    """Load a detector by name; imports only this one."""
    module, _, attribute = find_detector(name).make.partition(":")
    detector: Detector = getattr(importlib.import_module(module), attribute)(threads)
    return detector
