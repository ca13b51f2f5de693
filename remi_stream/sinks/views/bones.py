"""The bones of a skeleton whose two joints are visible."""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import BONES

Bone = tuple[int, int]


def visible_bones(skeleton: str, visible: np.ndarray) -> list[Bone]:
    """The pairs of joints that are both visible. visible: (K,) bool. An unknown skeleton has no bones."""
    joints = set(np.flatnonzero(visible).tolist())
    return [(a, b) for a, b in BONES.get(skeleton, ()) if a in joints and b in joints]
