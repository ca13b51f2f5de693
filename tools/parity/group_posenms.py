"""AlphaPose's pose NMS: kept poses, merged poses, and proposal scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from parity.rows import Entries, Row, compare
from remi_stream.pose.alphapose import MIN_SCORE_ARGMAX, MIN_SCORE_SOFT_ARGMAX, pose_nms

GROUP = "posenms"
PX, SHARE = 2e-4, 2e-6


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check every number of joints with every parameter set in the npz."""
    for name in sorted({key.rsplit(".in.", 1)[0] for key in entries if key.startswith("posenms.") and ".in." in key}):
        yield from case(name, entries)


def case(name: str, entries: Entries) -> Iterator[Row]:
    """Check one number of joints with one parameter set; up to 26 joints always use the peak thresholds."""
    points, scores = entries[f"{name}.in.poses"], entries[f"{name}.in.pose_scores"][..., 0]
    boxes, box_scores = entries[f"{name}.in.boxes"], entries[f"{name}.in.box_scores"][:, 0]
    lenient = name.endswith(".regress") and points.shape[1] > 26
    kept = pose_nms(points, scores, boxes, MIN_SCORE_SOFT_ARGMAX if lenient else MIN_SCORE_ARGMAX)
    picks = [one.best for one in kept]
    proposals = [proposal_score(one.scores, box_scores[one.best]) for one in kept]
    results: dict[str, tuple[ArrayLike, float]] = {
        "pick": (picks, 0.0),
        "boxes": (boxes[picks], 0.0),
        "box_scores": (box_scores[picks], 0.0),
        "poses": ([one.points for one in kept], PX),
        "pose_scores": ([one.scores[:, None] for one in kept], SHARE),
        "n_merged": ([len(one.merged) for one in kept], 0.0),
        "proposal_score": (proposals, SHARE),
    }
    for what, (got, tolerance) in results.items():
        yield compare(f"{name}.out.{what}", got, entries[f"{name}.out.{what}"], tolerance)


def proposal_score(scores: np.ndarray, box_score: float) -> float:
    """Return AlphaPose's score of a person, from the joints' scores (K,) and the box's; it can exceed 1."""
    return float(scores.mean() + box_score + 1.25 * scores.max())
