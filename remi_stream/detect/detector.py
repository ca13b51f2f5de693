"""What finds people in a picture."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from remi_stream.errors import unknown
from remi_stream.messages import View


class Found(NamedTuple):
    """boxes_xyxy (N, 4) float32, px of the picture given: tight, whole body, not squared; scores (N,) float32 in [0, 1]."""

    boxes_xyxy: np.ndarray
    scores: np.ndarray


class Detector(Protocol):
    """A person detector; `detect/stage.py` runs it."""

    name: str
    view: View
    """The picture it works best on: capture scales frames to it before they travel."""

    def find(self, image: np.ndarray) -> Found:
        """Find people in image (H, W, 3) uint8 BGR; boxes in px of that image."""
        ...


@runtime_checkable
class FindsAll(Protocol):
    """What a detector can do besides, when nobody waits for the first of several pictures."""

    def find_all(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Find people in each of images (H, W, 3) uint8 BGR, in one call of the network; boxes in px of their image."""
        ...


class Known(NamedTuple):
    """Where a detector is made, and the names of its model files.

    parts: whether it also has to look at square parts of a wide picture, or it overlooks people far away (see looks.py).
    """

    make: str
    files: tuple[str, ...] = ()
    parts: bool = True


DETECTORS = {
    "blazepose": Known("remi_stream.detect.blazepose:open_detector", ("pose_detection",)),
    "synthetic": Known("remi_stream.detect.synthetic:open_detector"),
    "yolov3": Known("remi_stream.detect.yolov3:open_yolov3", ("yolov3",), parts=False),
    "yolov3-spp": Known("remi_stream.detect.yolov3:open_yolov3_spp", ("yolov3_spp",), parts=False),
}


def find_detector(name: str) -> Known:
    """What is known of the detector of this name; imports none."""
    if name not in DETECTORS:
        raise unknown("detector", name, DETECTORS)
    return DETECTORS[name]


def load_detector(name: str, threads: int = 1) -> Detector:
    """Load a detector by name; imports no other."""
    module, _, attribute = find_detector(name).make.partition(":")
    detector: Detector = getattr(importlib.import_module(module), attribute)(threads)
    return detector
