"""Parametric pose suppression: of several poses of one body, one is left, and the others are averaged into it.

Fang et al., "RMPE: regional multi-person pose estimation" (2017): poses are alike when many joints are near each other, and
sure of it. Sums over joints are scaled to at most 26, so that a face and hands do not outweigh the body.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REACH = 0.1
"""Joints may be the same one within this share of the box's longest side."""
NEAR_PX, MERGED_PX = 7.0, 15.0
"""And within this many px, to count as the same one, and to be averaged."""
SURENESS, DISTANCE = 1.0, 2.65
"""Scales of scores, and of squared distances in reaches (sigma 1 and 2 of the paper)."""
WEIGHT = 1.7
"""How much distances count beside scores (lambda)."""
ALIKE = 22.48
SAME_JOINTS = 5
BODY_JOINTS = 26


class Kept(NamedTuple):
    """What is left of poses of one body. pick: the best one's index; merged: the indices of all, ascending.

    points (K, 2) px and scores (K,) are averages over them, weighted by score.
    """

    pick: int
    merged: tuple[int, ...]
    points: np.ndarray
    scores: np.ndarray


LEAST_PEAK, LEAST_INTEGRAL = 0.3, 0.01
"""A pose is dropped whose best joint scores less: heat of a peak; integral models of whole bodies score lower."""


def suppress(points: np.ndarray, scores: np.ndarray, boxes_xyxy: np.ndarray, least_score: float) -> list[Kept]:
    """Give one pose per body, the surest first, of poses (N, K, 2) px with scores (N, K) that were found in boxes (N, 4) px."""
    rest, kept = np.arange(len(points)), []
    while len(rest):
        pick = rest[scores[rest].mean(1).argmax()]
        reach = REACH * float((boxes_xyxy[pick, 2:] - boxes_xyxy[pick, :2]).max())
        alike = same_body(points[pick], scores[pick], points[rest], scores[rest], reach) | (rest == pick)
        kept.append(_merge(pick, rest[alike], points, scores, min(reach, MERGED_PX)))
        rest = rest[~alike]
    return [one for one in kept if one.scores.max() >= least_score]


def same_body(point: np.ndarray, score: np.ndarray, points: np.ndarray, scores: np.ndarray, reach: float) -> np.ndarray:
    """Which of poses (N, K, 2), scores (N, K) show the same body as one (K, 2), (K,): (N,) bool. reach: px."""
    away = np.sqrt(((points - point) ** 2).sum(-1))
    share = min(1.0, BODY_JOINTS / away.shape[1])
    sure = np.tanh(score / SURENESS) * np.tanh(scores / SURENESS) * (away <= reach)
    near = np.exp(-((away / max(reach, 1e-6)) ** 2) / DISTANCE)
    likeness = share * (sure + WEIGHT * near).sum(1)
    matches = share * (away <= min(reach, NEAR_PX)).sum(1)
    alike: np.ndarray = (likeness > ALIKE) | (matches >= SAME_JOINTS)
    return alike


def _merge(pick: int, merged: np.ndarray, points: np.ndarray, scores: np.ndarray, reach: float) -> Kept:
    """Average the joints of the merged poses that are near the pick's."""
    away = np.sqrt(((points[merged] - points[pick]) ** 2).sum(-1))
    weights = np.maximum(scores[merged], 1e-12) * (away <= reach)
    weights = weights / weights.sum(0)
    averaged = (weights[..., None] * points[merged]).sum(0).astype(np.float32)
    return Kept(int(pick), tuple(merged.tolist()), averaged, (weights * scores[merged]).sum(0).astype(np.float32))


def proposal_score(scores: np.ndarray, box_score: float) -> float:
    """AlphaPose's score of a person, from the joints' scores (K,) and the box's; it can exceed 1."""
    return float(scores.mean() + box_score + 1.25 * scores.max())
