"""Parametric pose NMS: of several poses of one body the best is kept, and the others are averaged into it.

Fang et al., "RMPE: regional multi-person pose estimation" (2017): poses are similar if many joints are close and confident. Sums
over joints are scaled to at most 26, so that face and hands do not outweigh the body. Values are those of AlphaPose's code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REFERENCE_DISTANCE = 0.1
"""Reference distance of joints, in longest sides of the box."""
MAX_MATCH_PX, MAX_MERGE_PX = 7.0, 15.0
"""Largest distance of joints that match, and of joints that are averaged."""
SCORE_SCALE, DISTANCE_SCALE = 1.0, 2.65
"""Scales of the scores and of the squared distances (sigma 1 and 2 of the paper)."""
DISTANCE_WEIGHT = 1.7
"""Weight of the distances relative to the scores (lambda)."""
MIN_SIMILARITY = 22.48
"""Least similarity of poses of the same body (gamma in AlphaPose's code)."""
MIN_MATCHING_JOINTS = 5
"""Matching joints from which poses are of the same body whatever their similarity."""
MAX_COUNTED_JOINTS = 26
"""Joints to which sums are scaled."""
MIN_SCORE_ARGMAX, MIN_SCORE_SOFT_ARGMAX = 0.3, 0.01
"""Least score of a pose's best joint: heatmap peak, and soft-argmax of whole-body models, which score lower."""


class MergedPose(NamedTuple):
    """The pose of one body that NMS keeps."""

    best: int
    """Index of the best pose."""
    merged: tuple[int, ...]
    """Indices of all poses averaged into it, ascending."""
    points: np.ndarray
    """(K, 2) px, average weighted by score."""
    scores: np.ndarray
    """(K,), average weighted by score."""


def pose_nms(points: np.ndarray, scores: np.ndarray, boxes_xyxy: np.ndarray, least_score: float) -> list[MergedPose]:
    """Return one pose per body, best first, of poses (N, K, 2) px with scores (N, K), estimated in boxes (N, 4) px."""
    rest, kept = np.arange(len(points)), []
    while len(rest):
        pick = rest[scores[rest].mean(1).argmax()]
        reach = REFERENCE_DISTANCE * float((boxes_xyxy[pick, 2:] - boxes_xyxy[pick, :2]).max())
        alike = similar_poses(points[pick], scores[pick], points[rest], scores[rest], reach) | (rest == pick)
        kept.append(_merge(pick, rest[alike], points, scores, min(reach, MAX_MERGE_PX)))
        rest = rest[~alike]
    return [one for one in kept if one.scores.max() >= least_score]


def similar_poses(
    point: np.ndarray, score: np.ndarray, points: np.ndarray, scores: np.ndarray, reference_px: float
) -> np.ndarray:
    """Return which of poses (N, K, 2), scores (N, K) are of the same body as one (K, 2), (K,): (N,) bool. reference_px: px."""
    distances = np.sqrt(((points - point) ** 2).sum(-1))
    share = min(1.0, MAX_COUNTED_JOINTS / distances.shape[1])
    confident = np.tanh(score / SCORE_SCALE) * np.tanh(scores / SCORE_SCALE) * (distances <= reference_px)
    near = np.exp(-((distances / max(reference_px, 1e-6)) ** 2) / DISTANCE_SCALE)
    similarity = share * (confident + DISTANCE_WEIGHT * near).sum(1)
    matches = share * (distances <= min(reference_px, MAX_MATCH_PX)).sum(1)
    alike: np.ndarray = (similarity > MIN_SIMILARITY) | (matches >= MIN_MATCHING_JOINTS)
    return alike


def _merge(pick: int, merged: np.ndarray, points: np.ndarray, scores: np.ndarray, reach: float) -> MergedPose:
    """Average the joints of the merged poses that are near those of the best one."""
    distances = np.sqrt(((points[merged] - points[pick]) ** 2).sum(-1))
    weights = np.maximum(scores[merged], 1e-12) * (distances <= reach)
    weights = weights / weights.sum(0)
    averaged = (weights[..., None] * points[merged]).sum(0).astype(np.float32)
    return MergedPose(int(pick), tuple(merged.tolist()), averaged, (weights * scores[merged]).sum(0).astype(np.float32))


def proposal_score(scores: np.ndarray, box_score: float) -> float:
    """Return AlphaPose's score of a person, from the joints' scores (K,) and the box's; it can exceed 1."""
    return float(scores.mean() + box_score + 1.25 * scores.max())
