"""YOLO's rows to the objects of a picture: the two suppressions of the published programs.

Rows of a network are (N, 5 + classes): cx, cy, w, h px, objectness, and a score per class, in any order. Candidates are (N, 7):
x0, y0, x1, y1 px, objectness, best class' score, class. Overlaps count both borders of a box (hence the + 1).
"""

from __future__ import annotations

import numpy as np

PERSON = 0
MOST = 100
STRICTER = 0.05


def candidates(rows: np.ndarray, least_objectness: float) -> np.ndarray:
    """Those rows (N, 5 + classes) whose objectness is above a threshold, with corners and the best class: (M, 7) float32."""
    rows = rows[rows[:, 4] > least_objectness]
    half = rows[:, 2:4] / 2
    best = rows[:, 5:].argmax(1)
    scores = np.take_along_axis(rows[:, 5:], best[:, None], 1)
    found = np.concatenate([rows[:, :2] - half, rows[:, :2] + half, rows[:, 4:5], scores, best[:, None]], 1)
    return found.astype(np.float32)


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,) with boxes (N, 4), their borders counted: (N,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.maximum(high - low + 1, 0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    found: np.ndarray = shared / ((box[2:] - box[:2] + 1).prod() + areas - shared)
    return found


def merged(found: np.ndarray, overlap: float) -> np.ndarray:
    """The tracker's way: candidates (N, 7) of a class that overlap the best by more are averaged into it by objectness.

    The best has the largest objectness times class score; so are the rows sorted.
    """
    rest, kept = found[np.argsort(-found[:, 4] * found[:, 5], kind="stable")], []
    while len(rest):
        same = (overlaps(rest[0, :4], rest[:, :4]) > overlap) & (rest[:, 6] == rest[0, 6])
        same[0] = True
        weights = rest[same, 4:5]
        kept.append(np.concatenate([(weights * rest[same, :4]).sum(0) / weights.sum(), rest[0, 4:]]))
        rest = rest[~same]
    return np.array(kept, np.float32).reshape(-1, 7)


def thinned(found: np.ndarray, overlap: float) -> np.ndarray:
    """AlphaPose's way: candidates (N, 7) that overlap a better one by as much are dropped; best means objectness.

    When more than a hundred are left, it is done again with a lower threshold.
    """
    ordered = found[np.argsort(-found[:, 4], kind="stable")]
    kept = ordered
    while len(ordered):
        kept = _dropped(ordered, overlap)
        if len(kept) <= MOST or overlap <= 0:
            break
        overlap -= STRICTER
    return kept


def _dropped(rest: np.ndarray, overlap: float) -> np.ndarray:
    kept = []
    while len(rest):
        kept.append(rest[0])
        rest = rest[1:][overlaps(rest[0, :4], rest[1:, :4]) < overlap]
    return np.array(kept, np.float32).reshape(-1, 7)
