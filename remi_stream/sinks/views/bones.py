"""Which bones of a skeleton can be drawn."""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import EDGES

Bone = tuple[int, int]


def bones_between(skeleton: str, seen: np.ndarray) -> list[Bone]:
    """The pairs of joints that are both seen, (K,) bool; none of a skeleton that nobody knows."""
    there = set(np.flatnonzero(seen).tolist())
    return [(a, b) for a, b in EDGES.get(skeleton, ()) if a in there and b in there]
