"""AlphaPose's pose suppression: which poses stay, what is averaged into them, and the score of each person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import ArrayLike

from parity.rows import Entries, Row, compare
from remi_stream.pose.suppression import LEAST_INTEGRAL, LEAST_PEAK, proposal_score, suppress

GROUP = "posenms"
PX, SHARE = 2e-4, 2e-6


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Each number of joints with each set of parameters that there are vectors for."""
    for name in sorted({key.rsplit(".in.", 1)[0] for key in entries if key.startswith("posenms.") and ".in." in key}):
        yield from case(name, entries)


def case(name: str, entries: Entries) -> Iterator[Row]:
    """One number of joints, one set of parameters; bodies of up to 26 joints always have the first one."""
    points, scores = entries[f"{name}.in.poses"], entries[f"{name}.in.pose_scores"][..., 0]
    boxes, box_scores = entries[f"{name}.in.boxes"], entries[f"{name}.in.box_scores"][:, 0]
    lenient = name.endswith(".regress") and points.shape[1] > 26
    kept = suppress(points, scores, boxes, LEAST_INTEGRAL if lenient else LEAST_PEAK)
    picks = [one.pick for one in kept]
    proposals = [proposal_score(one.scores, box_scores[one.pick]) for one in kept]
    found: dict[str, tuple[ArrayLike, float]] = {
        "pick": (picks, 0.0),
        "boxes": (boxes[picks], 0.0),
        "box_scores": (box_scores[picks], 0.0),
        "poses": ([one.points for one in kept], PX),
        "pose_scores": ([one.scores[:, None] for one in kept], SHARE),
        "n_merged": ([len(one.merged) for one in kept], 0.0),
        "proposal_score": (proposals, SHARE),
    }
    for what, (got, tolerance) in found.items():
        yield compare(f"{name}.out.{what}", got, entries[f"{name}.out.{what}"], tolerance)
