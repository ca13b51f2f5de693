"""Where everybody is in a frame: the detector looks at the whole picture and, if it has to, at all of its parts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from remi_stream.capture.view import render
from remi_stream.detect.detector import Detector, FindsAll, Found, find_detector
from remi_stream.detect.looks import Rectangle, looks
from remi_stream.detect.stage import boxes_in_full
from remi_stream.geometry import iou
from remi_stream.messages import Frame
from remi_stream.offline.given import GivenBoxes
from remi_stream.pose.matching import covered

SAME_WHOLE, SAME_CUT = 0.4, 0.6
"""Boxes of two looks show one person when this share of both together is in both; where one is cut off, of the smaller one."""
EDGE_PX = 2.0


def search(detector: Detector | GivenBoxes, frames: Sequence[Frame]) -> list[Found]:
    """Everybody in each frame, once: boxes (N, 4) float32 px of the full picture, best first, and their scores."""
    if isinstance(detector, GivenBoxes):
        return detector.search(frames)
    views = [looks(frame.size) if find_detector(detector.name).parts else looks(frame.size)[:1] for frame in frames]
    parts = [_part(detector, frame, view) for frame, rectangles in zip(frames, views) for view in rectangles]
    found = iter([_in_full(part, found) for part, found in zip(parts, find_all(detector, [part.image for part in parts]))])
    return [merged([(view, next(found)) for view in rectangles], frame.size) for frame, rectangles in zip(frames, views)]


def find_all(detector: Detector, images: Sequence[np.ndarray]) -> list[Found]:
    """What a detector finds in each picture (H, W, 3) uint8 BGR, in one call of its network if it can."""
    if isinstance(detector, FindsAll):
        return detector.find_all(images)
    return [detector.find(image) for image in images]


def _part(detector: Detector, frame: Frame, rectangle: Rectangle) -> Frame:
    return render(frame, msgspec.structs.replace(detector.view, rectangle=rectangle))


def _in_full(part: Frame, found: Found) -> Found:
    return found._replace(boxes_xyxy=boxes_in_full(found.boxes_xyxy, part))


def merged(seen: list[tuple[Rectangle, Found]], size: tuple[int, int]) -> Found:
    """What several looks at a picture of (width, height) px found, each person once.

    A look tells its own people apart, so that boxes of one look are all kept. Of the others', those are added that nobody has
    yet: first the whole ones, which may be of somebody far away in front of a large box, then those that a look's edge cuts off.
    """
    cut = [_cut_off(found.boxes_xyxy, rectangle, size) for rectangle, found in seen]
    boxes, scores, look = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
    for wanted, alike in ((False, _alike), (True, _covered)):
        for number, (_, found) in enumerate(seen):
            others = boxes[look != number]
            new = [at for at in np.flatnonzero(cut[number] == wanted) if not alike(found.boxes_xyxy[at], others).any()]
            boxes, scores = np.concatenate([boxes, found.boxes_xyxy[new]]), np.concatenate([scores, found.scores[new]])
            look = np.concatenate([look, np.full(len(new), number)])
    best = np.argsort(-scores, kind="stable")
    return Found(boxes[best], scores[best])


def _alike(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return iou(box_xyxy, boxes_xyxy) > SAME_WHOLE


def _covered(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    return covered(box_xyxy, boxes_xyxy) > SAME_CUT


def _cut_off(boxes_xyxy: np.ndarray, rectangle: Rectangle, size: tuple[int, int]) -> np.ndarray:
    """Which boxes (N, 4) reach to an edge of a look that is no edge of the picture: (N,) bool."""
    x0, y0, x1, y1 = rectangle
    near = np.abs(boxes_xyxy - np.array(rectangle)) < EDGE_PX
    inner = np.array([x0 > 0, y0 > 0, x1 < size[0], y1 < size[1]])
    return (near & inner).any(1)
