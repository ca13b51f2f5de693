"""Which boxes and poses are of the same body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from remi_stream.geometry import iou
from remi_stream.pose.engine import Pose
from remi_stream.pose.identity import size_of

T = TypeVar("T")

MATCH_IOU = 0.3
SAME_BODY = 0.1
"""Median distance of key points, in body sizes, under which two poses are of the same body."""
FINDABLE = 0.33
"""A body is missed by a search only if it is this large beside the searched region's longest side."""


def pairs(tracked: Mapping[T, np.ndarray], boxes_xyxy: np.ndarray) -> dict[T, int]:
    """Pair tracked boxes (4,) with detected ones (N, 4), those that overlap most first: {key: index of the detection}."""
    scores = [(score, key, index) for key, box in tracked.items() for index, score in enumerate(iou(box, boxes_xyxy))]
    matched: dict[T, int] = {}
    for score, key, index in sorted(scores, key=lambda entry: -entry[0]):
        if score > MATCH_IOU and key not in matched and index not in matched.values():
            matched[key] = index
    return matched


def evident(box_xyxy: np.ndarray, searched_xyxy: np.ndarray, others: Iterable[np.ndarray]) -> bool:
    """Whether a search that did not find what is in a box shows that nobody is there.

    A region of searched_xyxy (M, 4) must hold most of the box, and the box must be large enough to be found in it. others:
    boxes of other people; a detector that sees somebody overlooks whoever is smaller and beside them.
    """
    sides = (searched_xyxy[:, 2:] - searched_xyxy[:, :2]).max(axis=1)
    large = size_of(box_xyxy) > FINDABLE * sides
    inside = large & (_shared(box_xyxy, searched_xyxy) > 0.7 * _area(box_xyxy))
    beside = [around for other in others if _shared(box_xyxy, (around := square(other))[None])[0] > 0]
    return bool(inside.any()) and not beside


def square(box_xyxy: np.ndarray) -> np.ndarray:
    """The square (4,) around a box's middle, as large as its longest side."""
    middle, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, size_of(box_xyxy) / 2
    return np.concatenate([middle - half, middle + half])


def same_body(first: Pose, second: Pose) -> bool:
    """Whether two poses are of one body: their key points all but coincide."""
    if first.person is None or second.person is None:
        return False
    away = np.linalg.norm(first.person.keypoints_px - second.person.keypoints_px, axis=1)
    size = min(size_of(first.person.box_xyxy), size_of(second.person.box_xyxy))
    return bool(np.median(away) < SAME_BODY * size)


def covered(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Intersection of one box (4,) with boxes (N, 4), in shares of the smaller of the two: (N,)."""
    smaller = np.minimum(_area(boxes_xyxy), _area(box_xyxy))
    return _shared(box_xyxy, boxes_xyxy) / np.maximum(smaller, 1e-9)


def _shared(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    size = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    return np.prod(np.clip(size, 0, None), axis=1)


def _area(boxes_xyxy: np.ndarray) -> np.ndarray:
    return np.prod(boxes_xyxy[..., 2:] - boxes_xyxy[..., :2], axis=-1)
