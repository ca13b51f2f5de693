"""The bones of a skeleton whose two joints are visible."""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import EDGES

Bone = tuple[int, int]


def bones_between(skeleton: str, seen: np.ndarray) -> list[Bone]:
    """The pairs of joints that are both visible. visible: (K,) bool. An unknown skeleton has no bones."""
    joints = set(np.flatnonzero(seen).tolist())
    return [(a, b) for a, b in EDGES.get(skeleton, ()) if a in joints and b in joints]
