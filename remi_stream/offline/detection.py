"""Detection offline: all search passes of an image, merged so that each person is there once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np

from remi_stream.capture.preprocess import render_view
from remi_stream.config import Posture
from remi_stream.detect.detection_file import DetectionFile
from remi_stream.detect.detector import BatchDetector, Detector, Rectangle, ScoredBoxes, detector_tiles
from remi_stream.detect.search import SearchPass, all_search_passes
from remi_stream.detect.stage import boxes_in_full_image, points_in_full_image
from remi_stream.geometry import intersection_over_smaller, iou
from remi_stream.messages import Frame

FULL_SEARCH_FRAMES = 10
"""Every how many frames of a video all passes are searched, in the others the whole image and its full-height tiles: in 1280x720
4 passes a frame, and 18 more in every tenth. People are carried, and followed back in time, through the frames between."""
SAME_PERSON_IOU, SAME_PERSON_COVERAGE = 0.4, 0.6
"""Boxes of two tiles are of one person above this IoU; if a tile's edge cuts one off, above this share of the smaller box."""
TILE_EDGE_PX = 2.0
"""A box this close to a tile's edge is cut off by it."""


def is_full_search(frame: Frame, independent: bool) -> bool:
    """Return whether a frame gets all search passes."""
    return independent or frame.frame_id % FULL_SEARCH_FRAMES == 0


def search_passes(detector: str, frame: Frame, posture: Posture, is_full: bool) -> list[SearchPass]:
    """Return the search passes of a frame: all of them, or the usual ones."""
    if is_full:
        return all_search_passes(detector, frame.size, posture)
    return [SearchPass(rectangle) for rectangle in detector_tiles(detector, frame.size)]


def detect_people(
    detector: Detector | DetectionFile, frames: Sequence[Frame], posture: Posture, independent: bool, is_merged: bool = True
) -> list[ScoredBoxes]:
    """Detect people in each frame: boxes (N, 4) float32 px of the full image, best first, with scores.

    is_merged: each person once; otherwise a person has a detection of every pass that found them.
    """
    if isinstance(detector, DetectionFile):
        return detector.detect_frames(frames)
    passes = [search_passes(detector.name, frame, posture, is_full_search(frame, independent)) for frame in frames]
    tiles = [_tile_frame(detector, frame, each) for frame, own in zip(frames, passes) for each in own]
    images = [each.turned(tile.image) for tile, each in zip(tiles, (each for own in passes for each in own))]
    answers = iter(zip(tiles, detect_images(detector, images)))
    usual = [len(detector_tiles(detector.name, frame.size)) for frame in frames]
    if not is_merged:
        return [_all_detections(own, answers) for own in passes]
    return [_merged_passes(own, count, answers, frame) for frame, own, count in zip(frames, passes, usual)]


def _all_detections(passes: list[SearchPass], answers: Iterable[tuple[Frame, ScoredBoxes]]) -> ScoredBoxes:
    """Return a frame's next answers together, best first."""
    first, *rest = (_to_full_image(tile, each, answer) for each, (tile, answer) in zip(passes, answers))
    found = reduce(concatenated, rest, first)
    return selected(found, np.argsort(-found.scores, kind="stable"))


def _merged_passes(
    passes: list[SearchPass], usual: int, answers: Iterable[tuple[Frame, ScoredBoxes]], frame: Frame
) -> ScoredBoxes:
    """Merge a frame's next answers: of the `usual` first passes, the whole image and its tiles, then what the others add."""
    found = [(each, _to_full_image(tile, each, answer)) for each, (tile, answer) in zip(passes, answers)]
    merged = merge_tile_detections([(each.rectangle, boxes) for each, boxes in found[:usual]], frame.size)
    rest = [_uncut(boxes, each.rectangle, frame.size) for each, boxes in found[usual:]]
    return add_detections(merged, rest)


def detect_images(detector: Detector, images: Sequence[np.ndarray]) -> list[ScoredBoxes]:
    """Detect people in images (H, W, 3) uint8 BGR, in one batch if the detector supports it."""
    if isinstance(detector, BatchDetector):
        return detector.detect_batch(images)
    return [detector.detect(image) for image in images]


def _tile_frame(detector: Detector, frame: Frame, each: SearchPass) -> Frame:
    return render_view(frame, msgspec.structs.replace(detector.view, rectangle=each.rectangle))


def _to_full_image(tile: Frame, each: SearchPass, found: ScoredBoxes) -> ScoredBoxes:
    upright = each.turned_back(found, (tile.image.shape[1], tile.image.shape[0]))
    circles = None if upright.circles_px is None else points_in_full_image(upright.circles_px, tile)
    return upright._replace(boxes_xyxy=boxes_in_full_image(upright.boxes_xyxy, tile), circles_px=circles)


def _uncut(found: ScoredBoxes, rectangle: Rectangle, size: tuple[int, int]) -> ScoredBoxes:
    """Leave out the boxes that a tile's edge cuts off: another tile of the grid has them whole."""
    return selected(found, ~_cut_off(found.boxes_xyxy, rectangle, size))


def add_detections(found: ScoredBoxes, more: Sequence[ScoredBoxes]) -> ScoredBoxes:
    """Add the detections of further passes, best first: those that share little with what is there already."""
    rows = [(boxes, index) for boxes in more for index in range(len(boxes.scores))]
    for boxes, index in sorted(rows, key=lambda row: -float(row[0].scores[row[1]])):
        if not _same_by_coverage(boxes.boxes_xyxy[index], found.boxes_xyxy).any():
            found = concatenated(found, selected(boxes, [index]))
    return found


def merge_tile_detections(tiles: list[tuple[Rectangle, ScoredBoxes]], size: tuple[int, int]) -> ScoredBoxes:
    """Merge the detections of several tiles of an image of (width, height) px, each person once.

    Boxes of one tile never suppress each other. Of the other tiles, new boxes are added: first complete ones by IoU, since a
    small person may stand in front of a large box, then those that a tile's edge cuts off, by coverage.
    """
    cut = [_cut_off(found.boxes_xyxy, rectangle, size) for rectangle, found in tiles]
    merged, tile = selected(tiles[0][1], []), np.zeros(0, int)
    for is_cut, is_same in ((False, _same_by_iou), (True, _same_by_coverage)):
        for number, (_, found) in enumerate(tiles):
            others = merged.boxes_xyxy[tile != number]
            new = [at for at in np.flatnonzero(cut[number] == is_cut) if not is_same(found.boxes_xyxy[at], others).any()]
            merged, tile = concatenated(merged, selected(found, new)), np.concatenate([tile, np.full(len(new), number)])
    return selected(merged, np.argsort(-merged.scores, kind="stable"))  # stable: equal scores keep their order on every machine


def selected(found: ScoredBoxes, rows: Any) -> ScoredBoxes:
    """Return some of the detections."""
    rows = np.asarray(rows) if len(rows) else np.zeros(0, int)
    circles = None if found.circles_px is None else found.circles_px[rows]
    return ScoredBoxes(found.boxes_xyxy[rows], found.scores[rows], circles)


def concatenated(first: ScoredBoxes, second: ScoredBoxes) -> ScoredBoxes:
    """Return the detections of both."""
    circles = None
    if first.circles_px is not None and second.circles_px is not None:
        circles = np.concatenate([first.circles_px, second.circles_px])
    boxes = np.concatenate([first.boxes_xyxy, second.boxes_xyxy])
    return ScoredBoxes(boxes, np.concatenate([first.scores, second.scores]), circles)


def _same_by_iou(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return iou(box_xyxy, boxes_xyxy) > SAME_PERSON_IOU


def _same_by_coverage(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return intersection_over_smaller(box_xyxy, boxes_xyxy) > SAME_PERSON_COVERAGE


def _cut_off(boxes_xyxy: np.ndarray, rectangle: Rectangle, size: tuple[int, int]) -> np.ndarray:
    """Whether a tile's edge inside the image cuts off each of the boxes (N, 4): (N,) bool."""
    x0, y0, x1, y1 = rectangle
    near = np.abs(boxes_xyxy - np.array(rectangle)) < TILE_EDGE_PX
    # at the image border a person is cut off by the image, which no other tile can repair
    inner = np.array([x0 > 0, y0 > 0, x1 < size[0], y1 < size[1]])
    return (near & inner).any(1)
