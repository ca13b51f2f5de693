"""Non-maximum suppression (NMS): of several detections of one person the best stays; weighted NMS averages the others into it.

A candidate is a row whose first four columns are its bounding box, x0 y0 x1 y1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SamePerson = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Which of candidates (N, D) are of the same person as one candidate (D,): (N,) bool."""


def nms(candidates: np.ndarray, scores: np.ndarray, is_same: SamePerson) -> np.ndarray:
    """Return the candidates (M, D) of candidates (N, D) that NMS keeps, best first by scores (N,)."""
    rest, kept = candidates[np.argsort(-scores, kind="stable")], []
    while len(rest):
        kept.append(rest[0])
        rest = rest[1:][~is_same(rest[0], rest[1:])]
    return np.array(kept, np.float32).reshape(-1, candidates.shape[1])


def weighted_nms(candidates: np.ndarray, scores: np.ndarray, is_same: SamePerson, averaged: int) -> np.ndarray:
    """Return the candidates (M, D) of candidates (N, D) that weighted NMS keeps, best first by scores (N,).

    Their first `averaged` columns are the mean of all candidates of the same person, weighted by the column after these.
    """
    rest, kept = candidates[np.argsort(-scores, kind="stable")], []
    while len(rest):
        same = is_same(rest[0], rest)
        same[0] = True  # also for a degenerate box, or the loop would not end
        weights = rest[same, averaged : averaged + 1]
        kept.append(np.concatenate([(weights * rest[same, :averaged]).sum(0) / weights.sum(), rest[0, averaged:]]))
        rest = rest[~same]
    return np.array(kept, np.float32).reshape(-1, candidates.shape[1])
