"""Non-maximum suppression (NMS) of YOLO's output rows, as the two published programs do it.

Rows of a network are (N, 5 + classes): cx, cy, w, h px, objectness, and a score per class, in any order. Candidates are (N, 7):
x0, y0, x1, y1 px, objectness, best class' score, class. IoU counts both borders of a box (hence the + 1), as they do.
"""

from __future__ import annotations

import numpy as np

PERSON_CLASS = 0
"""COCO class index of people."""
MAX_DETECTIONS = 100
"""AlphaPose's limit of detections per image."""
IOU_STEP = 0.05
"""AlphaPose lowers the IoU threshold by this much until no more than MAX_DETECTIONS are left."""


def candidates_from_rows(rows: np.ndarray, least_objectness: float) -> np.ndarray:
    """Rows (N, 5 + classes) with an objectness above the threshold as candidates (M, 7) float32."""
    rows = rows[rows[:, 4] > least_objectness]
    half = rows[:, 2:4] / 2
    best = rows[:, 5:].argmax(1)
    scores = np.take_along_axis(rows[:, 5:], best[:, None], 1)
    found = np.concatenate([rows[:, :2] - half, rows[:, :2] + half, rows[:, 4:5], scores, best[:, None]], 1)
    return found.astype(np.float32)


def iou_with_borders(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """IoU of a box (4,) with boxes (N, 4), borders counted: (N,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.maximum(high - low + 1, 0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    found: np.ndarray = shared / ((box[2:] - box[:2] + 1).prod() + areas - shared)
    return found


def weighted_nms(candidates: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Weighted NMS of the tracker: candidates (N, 7) of the same class are averaged into the best by objectness.

    The best has the largest objectness times class score, which is also the order of the result.
    """
    rest, kept = candidates[np.argsort(-candidates[:, 4] * candidates[:, 5], kind="stable")], []
    while len(rest):
        same = (iou_with_borders(rest[0, :4], rest[:, :4]) > iou_threshold) & (rest[:, 6] == rest[0, 6])
        same[0] = True  # also for a degenerate box, or the loop would not end
        weights = rest[same, 4:5]
        kept.append(np.concatenate([(weights * rest[same, :4]).sum(0) / weights.sum(), rest[0, 4:]]))
        rest = rest[~same]
    return np.array(kept, np.float32).reshape(-1, 7)


def nms(candidates: np.ndarray, iou_threshold: float) -> np.ndarray:
    """NMS of AlphaPose: candidates (N, 7) that overlap one of a larger objectness are dropped.

    If more than MAX_DETECTIONS are left, it is repeated with a lower threshold.
    """
    ordered = candidates[np.argsort(-candidates[:, 4], kind="stable")]
    kept = ordered
    while len(ordered):
        kept = _suppress_once(ordered, iou_threshold)
        if len(kept) <= MAX_DETECTIONS or iou_threshold <= 0:
            break
        iou_threshold -= IOU_STEP
    return kept


def _suppress_once(rest: np.ndarray, overlap: float) -> np.ndarray:
    kept = []
    while len(rest):
        kept.append(rest[0])
        rest = rest[1:][iou_with_borders(rest[0, :4], rest[1:, :4]) < overlap]
    return np.array(kept, np.float32).reshape(-1, 7)
