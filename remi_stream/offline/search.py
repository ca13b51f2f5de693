"""Detect people in a frame: run the detector on the whole image and on all tiles, and merge the detections."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from remi_stream.capture.view import render_view
from remi_stream.detect.detector import BatchDetector, Detector, ScoredBoxes, detector_entry
from remi_stream.detect.looks import Rectangle, tile_rectangles
from remi_stream.detect.stage import boxes_in_full_image
from remi_stream.geometry import iou
from remi_stream.messages import Frame
from remi_stream.offline.given import DetectionFile
from remi_stream.pose.matching import intersection_over_smaller

SAME_PERSON_IOU, SAME_PERSON_COVERAGE = 0.4, 0.6
"""Boxes of two tiles are of one person above this IoU; if a tile's edge cuts one off, above this share of the smaller box."""
TILE_EDGE_PX = 2.0
"""A box this close to a tile's edge is cut off by it."""


def detect_people(detector: Detector | DetectionFile, frames: Sequence[Frame]) -> list[ScoredBoxes]:
    """Detect people in each frame: boxes (N, 4) float32 px of the full image, best first, with scores."""
    if isinstance(detector, DetectionFile):
        return detector.detect_frames(frames)
    views = [
        tile_rectangles(frame.size) if detector_entry(detector.name).needs_tiling else tile_rectangles(frame.size)[:1]
        for frame in frames
    ]
    tiles = [_tile_frame(detector, frame, view) for frame, rectangles in zip(frames, views) for view in rectangles]
    found = iter(
        [_to_full_image(tile, found) for tile, found in zip(tiles, detect_images(detector, [tile.image for tile in tiles]))]
    )
    return [
        merge_tile_detections([(view, next(found)) for view in rectangles], frame.size)
        for frame, rectangles in zip(frames, views)
    ]


def detect_images(detector: Detector, images: Sequence[np.ndarray]) -> list[ScoredBoxes]:
    """Detect people in images (H, W, 3) uint8 BGR, in one batch if the detector supports it."""
    if isinstance(detector, BatchDetector):
        return detector.detect_batch(images)
    return [detector.detect(image) for image in images]


def _tile_frame(detector: Detector, frame: Frame, rectangle: Rectangle) -> Frame:
    return render_view(frame, msgspec.structs.replace(detector.view, rectangle=rectangle))


def _to_full_image(tile: Frame, found: ScoredBoxes) -> ScoredBoxes:
    return found._replace(boxes_xyxy=boxes_in_full_image(found.boxes_xyxy, tile))


def merge_tile_detections(tiles: list[tuple[Rectangle, ScoredBoxes]], size: tuple[int, int]) -> ScoredBoxes:
    """Merge the detections of several tiles of an image of (width, height) px, each person once.

    Boxes of one tile never suppress each other. Of the other tiles, new boxes are added: first complete ones by IoU, since a
    small person may stand in front of a large box, then those that a tile's edge cuts off, by coverage.
    """
    cut = [_cut_off(found.boxes_xyxy, rectangle, size) for rectangle, found in tiles]
    boxes, scores, tile = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
    for is_cut, is_same in ((False, _same_by_iou), (True, _same_by_coverage)):
        for number, (_, found) in enumerate(tiles):
            others = boxes[tile != number]
            new = [at for at in np.flatnonzero(cut[number] == is_cut) if not is_same(found.boxes_xyxy[at], others).any()]
            boxes, scores = np.concatenate([boxes, found.boxes_xyxy[new]]), np.concatenate([scores, found.scores[new]])
            tile = np.concatenate([tile, np.full(len(new), number)])
    best = np.argsort(-scores, kind="stable")
    return ScoredBoxes(boxes[best], scores[best])


def _same_by_iou(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return iou(box_xyxy, boxes_xyxy) > SAME_PERSON_IOU


def _same_by_coverage(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return intersection_over_smaller(box_xyxy, boxes_xyxy) > SAME_PERSON_COVERAGE


def _cut_off(boxes_xyxy: np.ndarray, rectangle: Rectangle, size: tuple[int, int]) -> np.ndarray:
    """Whether a tile's edge inside the image cuts off each of the boxes (N, 4): (N,) bool."""
    x0, y0, x1, y1 = rectangle
    near = np.abs(boxes_xyxy - np.array(rectangle)) < TILE_EDGE_PX
    inner = np.array([x0 > 0, y0 > 0, x1 < size[0], y1 < size[1]])
    return (near & inner).any(1)
