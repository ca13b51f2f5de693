"""YOLOv3 detectors with the pre- and post-processing of POCO's and PARE's tracker, and of AlphaPose.

Redmon and Farhadi, "YOLOv3: an incremental improvement" (2018). Rows of a network are (N, 5 + classes): cx, cy, w, h px,
objectness, and a score per class, in any order. Candidates are (N, 7): x0, y0, x1, y1 px, objectness, best class' score, class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.detect.nms import nms, weighted_nms
from remi_stream.inference.load import load_model
from remi_stream.inference.runtime import Runtime
from remi_stream.messages import FrameView
from remi_stream.models.manifest import find_manifest
from remi_stream.networks.network import find_network

PERSON_CLASS = 0
"""COCO class index of people."""
LETTERBOX_GREY = 128
"""AlphaPose's padding value."""
TRACKER_IOU, ALPHAPOSE_IOU = 0.4, 0.6
"""IoU thresholds of NMS in the two programs."""
MAX_DETECTIONS = 100
"""AlphaPose's limit of detections per image."""
IOU_STEP = 0.05
"""AlphaPose lowers the IoU threshold by this much until no more than MAX_DETECTIONS are left."""


class YoloConvention(NamedTuple):
    """Pre- and post-processing of a program."""

    letterbox: Callable[[np.ndarray, int], np.ndarray]
    """Image (H, W, 3) uint8 BGR and the square's side, px -> (side, side, 3) uint8 RGB."""
    boxes_to_image: Callable[[np.ndarray, int, tuple[int, int]], np.ndarray]
    """Boxes (N, 4) px of the square, its side, (width, height) px -> px of the image."""
    select_people: Callable[[np.ndarray], np.ndarray]
    """Rows (N, 85) of the network -> (M, 5): x0 y0 x1 y1 px of the square, score."""


class Yolov3Detector:
    """YOLOv3 on the whole image. side: of the network's square input, px."""

    def __init__(self, name: str, network: Runtime, convention: YoloConvention, side: int) -> None:
        self.name = name
        self.view = FrameView(longest_side=side)
        self._network, self._convention, self._side = network, convention, side

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        """Detect people in image (H, W, 3) uint8 BGR; boxes in px of that image, clipped to it."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[ScoredBoxes]:
        """Detect people in several images with one inference."""
        batch = np.stack([self._convention.letterbox(image, self._side) for image in images])
        rows = self._network.run({"image": batch})["rows"]
        return [self._detections(image, own) for image, own in zip(images, rows)]

    def _detections(self, image: np.ndarray, rows: np.ndarray) -> ScoredBoxes:
        size = (image.shape[1], image.shape[0])
        people = self._convention.select_people(rows)
        boxes = self._convention.boxes_to_image(people[:, :4], self._side, size)
        scores = np.clip(people[:, 4], 0, 1).astype(np.float32)
        return ScoredBoxes(np.clip(boxes, 0, np.tile(size, 2)).astype(np.float32), scores)


def open_yolov3(threads: int) -> Yolov3Detector:
    """Load YOLOv3 with the tracker's convention."""
    return _open("yolov3", tracker_convention, threads)


def open_yolov3_spp(threads: int) -> Yolov3Detector:
    """Load YOLOv3-SPP with AlphaPose's convention."""
    return _open("yolov3-spp", alphapose_convention, threads)


def _open(name: str, convention: Callable[..., YoloConvention], threads: int) -> Yolov3Detector:
    """Load a YOLOv3 network; the manifest's options are the convention's thresholds."""
    manifest = find_manifest(name, "detector")
    network_input = find_network(manifest.weights[0].network).image
    assert network_input is not None
    settings = {**manifest.runtimes[manifest.runtime], "threads": threads}
    network = load_model(manifest.weights[0], manifest.runtime, **settings)
    return Yolov3Detector(name, network, convention(**manifest.options), network_input.width)


def tracker_convention(least_objectness: float, least_score: float) -> YoloConvention:
    """Return the convention of POCO's and PARE's tracker; a score is objectness times class score."""

    def select_people(rows: np.ndarray) -> np.ndarray:
        found = tracker_nms(candidates_from_rows(rows, least_objectness), TRACKER_IOU)
        scores = found[:, 4] * found[:, 5]
        return np.column_stack([found[:, :4], scores])[(found[:, 6] == PERSON_CLASS) & (scores > least_score)]

    return YoloConvention(letterbox_nearest, boxes_from_letterbox_nearest, select_people)


def alphapose_convention(least_objectness: float) -> YoloConvention:
    """Return the convention of AlphaPose; a score is the objectness."""

    def select_people(rows: np.ndarray) -> np.ndarray:
        found = candidates_from_rows(rows, least_objectness)
        return alphapose_nms(found[found[:, 6] == PERSON_CLASS], ALPHAPOSE_IOU)[:, :5]

    return YoloConvention(letterbox_bicubic, boxes_from_letterbox_bicubic, select_people)


def letterbox_nearest(image: np.ndarray, side: int) -> np.ndarray:
    """Letterbox as in the multi-person tracker: image (H, W, 3) uint8 BGR -> (side, side, 3) uint8 RGB, black padding, nearest.

    An odd pixel of padding goes to the end. Only the sampled pixels are read.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    index = nearest_indices(longest, side)
    rows, columns = index - (longest - height) // 2, index - (longest - width) // 2
    inside_y, inside_x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    square = np.zeros((side, side, 3), np.uint8)
    square[np.ix_(inside_y, inside_x)] = image[np.ix_(rows[inside_y], columns[inside_x])][..., ::-1]
    return square


def nearest_indices(length: int, side: int) -> np.ndarray:
    """Return the source index of each of `side` px for nearest-neighbour resizing from `length` px, in float32 as in PyTorch."""
    index = np.floor(np.arange(side, dtype=np.float32) * np.float32(length / side)).astype(np.intp)
    return np.minimum(index, length - 1)


def boxes_from_letterbox_nearest(boxes_xyxy: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Map boxes (N, 4) px of the square to px of the image of (width, height) px, as the tracker does.

    Half the padding is rounded down to whole px of the square.
    """
    width, height = size
    scale = side / max(size)
    pad_x, pad_y = max(height - width, 0) * scale, max(width - height, 0) * scale
    offset = np.array([pad_x // 2, pad_y // 2] * 2)
    stretch = np.array([width / (side - pad_x), height / (side - pad_y)] * 2)
    return ((boxes_xyxy - offset) * stretch).astype(np.float32)


def letterbox_bicubic(image: np.ndarray, side: int) -> np.ndarray:
    """Letterbox as in AlphaPose: image (H, W, 3) uint8 BGR -> (side, side, 3) uint8 RGB, grey padding, bicubic."""
    height, width = image.shape[:2]
    scale = min(side / width, side / height)
    new_width, new_height = int(width * scale), int(height * scale)
    left, top = (side - new_width) // 2, (side - new_height) // 2
    square = np.full((side, side, 3), LETTERBOX_GREY, np.uint8)
    scaled = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_CUBIC)
    square[top : top + new_height, left : left + new_width] = scaled[..., ::-1]
    return square


def boxes_from_letterbox_bicubic(boxes_xyxy: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Map boxes (N, 4) px of the square to px of the image of (width, height) px, clipped to it."""
    scale = min(side / size[0], side / size[1])
    offset = (side - scale * np.array(size)) / 2
    boxes = (boxes_xyxy - np.tile(offset, 2)) / scale
    return np.clip(boxes, 0, np.tile(np.array(size, float), 2)).astype(np.float32)


def candidates_from_rows(rows: np.ndarray, least_objectness: float) -> np.ndarray:
    """Convert rows (N, 5 + classes) with an objectness above the threshold to candidates (M, 7) float32."""
    rows = rows[rows[:, 4] > least_objectness]
    half = rows[:, 2:4] / 2
    best = rows[:, 5:].argmax(1)
    scores = np.take_along_axis(rows[:, 5:], best[:, None], 1)
    found = np.concatenate([rows[:, :2] - half, rows[:, :2] + half, rows[:, 4:5], scores, best[:, None]], 1)
    return found.astype(np.float32)


def tracker_nms(candidates: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Apply the tracker's weighted NMS: candidates (N, 7) of the same class are averaged into the best by objectness.

    The best has the largest objectness times class score, which is also the order of the result.
    """

    def is_same(best: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return (iou_with_borders(best[:4], rest[:, :4]) > iou_threshold) & (rest[:, 6] == best[6])

    return weighted_nms(candidates, candidates[:, 4] * candidates[:, 5], is_same, averaged=4)


def alphapose_nms(candidates: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Apply AlphaPose's NMS: candidates (N, 7) that overlap one of a larger objectness are dropped.

    If more than MAX_DETECTIONS are left, it is repeated with a lower threshold.
    """

    def is_same(best: np.ndarray, rest: np.ndarray) -> np.ndarray:
        # `not <`, as AlphaPose keeps what is below: NaN is suppressed
        return ~(iou_with_borders(best[:4], rest[:, :4]) < iou_threshold)

    kept = nms(candidates, candidates[:, 4], is_same)
    while len(kept) > MAX_DETECTIONS and iou_threshold > 0:
        iou_threshold -= IOU_STEP
        kept = nms(candidates, candidates[:, 4], is_same)
    return kept


def iou_with_borders(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the IoU of a box (4,) with boxes (N, 4): (N,). Both borders of a box count, hence + 1, as in the two programs."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.maximum(high - low + 1, 0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    found: np.ndarray = shared / ((box[2:] - box[:2] + 1).prod() + areas - shared)
    return found
