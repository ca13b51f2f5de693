"""Association of boxes and poses: greedy IoU matching, duplicate poses, and whether a missed detection is conclusive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from remi_stream.geometry import iou
from remi_stream.pose.engine import Pose
from remi_stream.tracking.re_identification import longest_side_px

T = TypeVar("T")

MIN_MATCH_IOU = 0.3
"""Least IoU of a matched pair."""
MAX_SAME_BODY_DISTANCE = 0.1
"""Largest median distance of the key points of two poses of the same body, in body sizes."""
MIN_DETECTABLE_RATIO = 0.33
"""Least size of a body, relative to the searched region's longest side, that the detector finds reliably."""


def match_boxes(tracked: Mapping[T, np.ndarray], boxes_xyxy: np.ndarray) -> dict[T, int]:
    """Match tracked boxes (4,) with detections (N, 4) greedily, highest IoU first: {key: index of the detection}."""
    scores = [(score, key, index) for key, box in tracked.items() for index, score in enumerate(iou(box, boxes_xyxy))]
    matched: dict[T, int] = {}
    for score, key, index in sorted(scores, key=lambda entry: -entry[0]):
        if score > MIN_MATCH_IOU and key not in matched and index not in matched.values():
            matched[key] = index
    return matched


def is_miss_conclusive(box_xyxy: np.ndarray, searched_xyxy: np.ndarray, other_boxes: Iterable[np.ndarray]) -> bool:
    """Return whether a missing detection of a box (4,) px proves that no one is there.

    A region of searched_xyxy (M, 4) must contain most of the box, and the box must be large enough to be detected in it.
    other_boxes: boxes of other people; next to a larger person the detector may miss a smaller one, so then nothing is proven.
    """
    sides = (searched_xyxy[:, 2:] - searched_xyxy[:, :2]).max(axis=1)
    large = longest_side_px(box_xyxy) > MIN_DETECTABLE_RATIO * sides
    inside = large & (_intersection(box_xyxy, searched_xyxy) > 0.7 * _area(box_xyxy))
    beside = any(_intersection(box_xyxy, square_box(other)[None])[0] > 0 for other in other_boxes)
    return bool(inside.any()) and not beside


def square_box(box_xyxy: np.ndarray) -> np.ndarray:
    """Return the square (4,) around a box's centre with its longest side."""
    center, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, longest_side_px(box_xyxy) / 2
    return np.concatenate([center - half, center + half])


def is_same_body(first: Pose, second: Pose) -> bool:
    """Return whether two poses are of the same body: their key points nearly coincide."""
    if first.person is None or second.person is None:
        return False
    distances = np.linalg.norm(first.person.keypoints_px - second.person.keypoints_px, axis=1)
    size = min(longest_side_px(first.person.box_xyxy), longest_side_px(second.person.box_xyxy))
    return bool(np.median(distances) < MAX_SAME_BODY_DISTANCE * size)


def intersection_over_smaller(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Return the intersection of one box (4,) with boxes (N, 4) over the area of the smaller of the two: (N,)."""
    smaller = np.minimum(_area(boxes_xyxy), _area(box_xyxy))
    return _intersection(box_xyxy, boxes_xyxy) / np.maximum(smaller, 1e-9)


def _intersection(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    size = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    return np.prod(np.clip(size, 0, None), axis=1)


def _area(boxes_xyxy: np.ndarray) -> np.ndarray:
    return np.prod(boxes_xyxy[..., 2:] - boxes_xyxy[..., :2], axis=-1)
