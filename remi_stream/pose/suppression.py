"""Parametric pose NMS: of several poses of one body the best is kept, and the others are averaged into it.

Fang et al., "RMPE: regional multi-person pose estimation" (2017): poses are similar if many joints are close and confident. Sums
over joints are scaled to at most 26, so that face and hands do not outweigh the body. Values are those of AlphaPose's code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REACH = 0.1
"""Reference distance of joints, in longest sides of the box."""
NEAR_PX, MERGED_PX = 7.0, 15.0
"""Largest distance of joints that match, and of joints that are averaged."""
SURENESS, DISTANCE = 1.0, 2.65
"""Scales of the scores and of the squared distances (sigma 1 and 2 of the paper)."""
WEIGHT = 1.7
"""Weight of the distances relative to the scores (lambda)."""
ALIKE = 22.48
"""Least similarity of poses of the same body (gamma in AlphaPose's code)."""
SAME_JOINTS = 5
"""Matching joints from which poses are of the same body whatever their similarity."""
BODY_JOINTS = 26
"""Joints to which sums are scaled."""
LEAST_PEAK, LEAST_INTEGRAL = 0.3, 0.01
"""Least score of a pose's best joint: heatmap peak, and soft-argmax of whole-body models, which score lower."""


class Kept(NamedTuple):
    """The pose of one body that NMS keeps."""

    pick: int
    """Index of the best pose."""
    merged: tuple[int, ...]
    """Indices of all poses averaged into it, ascending."""
    points: np.ndarray
    """(K, 2) px, average weighted by score."""
    scores: np.ndarray
    """(K,), average weighted by score."""


def suppress(points: np.ndarray, scores: np.ndarray, boxes_xyxy: np.ndarray, least_score: float) -> list[Kept]:
    """Return one pose per body, best first, of poses (N, K, 2) px with scores (N, K), estimated in boxes (N, 4) px."""
    rest, kept = np.arange(len(points)), []
    while len(rest):
        pick = rest[scores[rest].mean(1).argmax()]
        reach = REACH * float((boxes_xyxy[pick, 2:] - boxes_xyxy[pick, :2]).max())
        alike = same_body(points[pick], scores[pick], points[rest], scores[rest], reach) | (rest == pick)
        kept.append(_merge(pick, rest[alike], points, scores, min(reach, MERGED_PX)))
        rest = rest[~alike]
    return [one for one in kept if one.scores.max() >= least_score]


def same_body(point: np.ndarray, score: np.ndarray, points: np.ndarray, scores: np.ndarray, reach: float) -> np.ndarray:
    """Return which of poses (N, K, 2), scores (N, K) are of the same body as one (K, 2), (K,): (N,) bool. reach: px."""
    distances = np.sqrt(((points - point) ** 2).sum(-1))
    share = min(1.0, BODY_JOINTS / distances.shape[1])
    confident = np.tanh(score / SURENESS) * np.tanh(scores / SURENESS) * (distances <= reach)
    near = np.exp(-((distances / max(reach, 1e-6)) ** 2) / DISTANCE)
    similarity = share * (confident + WEIGHT * near).sum(1)
    matches = share * (distances <= min(reach, NEAR_PX)).sum(1)
    alike: np.ndarray = (similarity > ALIKE) | (matches >= SAME_JOINTS)
    return alike


def _merge(pick: int, merged: np.ndarray, points: np.ndarray, scores: np.ndarray, reach: float) -> Kept:
    """Average the joints of the merged poses that are near those of the best one."""
    distances = np.sqrt(((points[merged] - points[pick]) ** 2).sum(-1))
    weights = np.maximum(scores[merged], 1e-12) * (distances <= reach)
    weights = weights / weights.sum(0)
    averaged = (weights[..., None] * points[merged]).sum(0).astype(np.float32)
    return Kept(int(pick), tuple(merged.tolist()), averaged, (weights * scores[merged]).sum(0).astype(np.float32))


def proposal_score(scores: np.ndarray, box_score: float) -> float:
    """Return AlphaPose's score of a person, from the joints' scores (K,) and the box's; it can exceed 1."""
    return float(scores.mean() + box_score + 1.25 * scores.max())
