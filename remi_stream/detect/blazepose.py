"""BlazePose's person detector: a single-shot detector (SSD) on a 224 px square.

Bazarevsky et al., "BlazePose" (2020): its boxes are faces; its four key points are the middle of the hips, a point on the
circle around the whole body, the middle of the shoulders, and a point on the circle around the upper body.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.detect.nms import weighted_nms
from remi_stream.geometry import iou, sigmoid
from remi_stream.inference.load import load_runtime
from remi_stream.inference.runtime import Runtime
from remi_stream.messages import FrameView
from remi_stream.models.manifest import find_model_file
from remi_stream.models.store import ensure_model_file

INPUT_SIDE = 224
"""Side of the network's input, px."""
ANCHOR_GRIDS = ((8, 2), (16, 2), (32, 6))
"""Cell size, px, and anchors per cell of each feature map."""
INPUT_TENSOR, BOXES_TENSOR, SCORES_TENSOR = "input_1", "Identity", "Identity_1"
"""Tensor names of pose_detection.tflite."""
MIN_SCORE = 0.5
"""Least score of a candidate (MediaPipe's value)."""
SAME_PERSON_IOU = 0.3
"""IoU from which candidates are of the same person (MediaPipe's value)."""
BODY_UP, BODY_DOWN, BODY_ACROSS = 0.92, 1.02, 0.45
"""Extent of the body box from the hips, in radii of the body circle: towards the head, towards the feet, and to each side. Fitted
on rendered people in many poses: the box covers 84 % of the true bounding box on average; arms and legs may stick out."""


def open_blazepose_detector(threads: int) -> BlazePoseDetector:
    """Load the detector with OpenVINO."""
    model = ensure_model_file(find_model_file("pose_detection"))
    # the network reads [-1, 1]
    settings = {"outputs": (BOXES_TENSOR, SCORES_TENSOR), "bytes_scale": 2 / 255, "bytes_offset": -1.0, "threads": threads}
    return BlazePoseDetector(load_runtime("openvino", model, **settings))


class InputSquare(NamedTuple):
    """Square of the image that is the network's input."""

    x: float
    """Left edge, px."""
    y: float
    """Top edge, px."""
    side: float
    """px."""


class BlazePoseDetector:
    """Finds people whose body circle is at least a third of the image's longest side; others need tiling."""

    name = "blazepose"
    view = FrameView(longest_side=2 * INPUT_SIDE)

    def __init__(self, network: Runtime) -> None:
        self._network = network
        self._anchors = anchor_centres()

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        """Detect people in image (H, W, 3) uint8 BGR; boxes in px of that image."""
        height, width = image.shape[:2]
        side = max(width, height)
        people = self.detect_in_square(image, InputSquare((width - side) / 2, (height - side) / 2, side))
        boxes = body_boxes(people[:, 4:6], people[:, 6:8])
        boxes = np.clip(boxes, 0, np.array([width, height, width, height]))
        circles = people[:, 4:8].reshape(-1, 2, 2)
        return ScoredBoxes(boxes.astype(np.float32), people[:, 12].astype(np.float32), circles.astype(np.float32))

    def detect_in_square(self, image: np.ndarray, square: InputSquare) -> np.ndarray:
        """Detect people in a square of the image: (N, 13) face box, four key points, px of the image; score."""
        out = self._network.run({INPUT_TENSOR: crop_square(image, square)[None]})
        candidates = decode_candidates(out[BOXES_TENSOR][0], out[SCORES_TENSOR][0, :, 0], self._anchors)
        people = weighted_nms(candidates, candidates[:, 12], is_same_person, averaged=12)
        people[:, 0:12:2] = people[:, 0:12:2] * square.side + square.x
        people[:, 1:12:2] = people[:, 1:12:2] * square.side + square.y
        return people


def anchor_centres() -> np.ndarray:
    """Return the anchor centres (2254, 2) in [0, 1], in the order of the network's outputs."""
    grids = []
    for stride, per_cell in ANCHOR_GRIDS:
        cells = math.ceil(INPUT_SIDE / stride)
        y, x = np.mgrid[0:cells, 0:cells]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, per_cell, 0))
    return np.concatenate(grids).astype(np.float32)


def crop_square(image: np.ndarray, square: InputSquare) -> np.ndarray:
    """Crop a square and scale it to (224, 224, 3) uint8 RGB; black outside the image."""
    scale = square.side / INPUT_SIDE
    image_from_input = np.array([[scale, 0, square.x], [0, scale, square.y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, image_from_input, (INPUT_SIDE, INPUT_SIDE), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)


def decode_candidates(raw: np.ndarray, logits: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Decode raw (2254, 12) and logits (2254,) to candidates (N, 13): box, key points, in [0, 1] of the square; score."""
    scores = sigmoid(logits)
    kept = scores >= MIN_SCORE
    raw, centres = raw[kept] / INPUT_SIDE, anchors[kept]
    middle, half = raw[:, :2] + centres, raw[:, 2:4] / 2
    points = (raw[:, 4:].reshape(-1, 4, 2) + centres[:, None]).reshape(-1, 8)
    return np.concatenate([middle - half, middle + half, points, scores[kept, None]], 1)


def is_same_person(best: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return which of candidates (N, 13) overlap the best one (13,): (N,) bool."""
    return iou(best[:4], rest[:, :4]) > SAME_PERSON_IOU


def body_boxes(hips: np.ndarray, circle_points: np.ndarray) -> np.ndarray:
    """Return boxes (N, 4) around rotated body rectangles with hips (N, 2) px inside and circle_points (N, 2) px at the head."""
    up = circle_points - hips
    ends = np.stack([hips + BODY_UP * up, hips - BODY_DOWN * up])
    # axis-aligned extent of a width perpendicular to `up`
    side = BODY_ACROSS * np.abs(up[:, ::-1])
    return np.concatenate([ends.min(0) - side, ends.max(0) + side], 1)
