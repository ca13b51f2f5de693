"""Left-right joint pairs of a skeleton for mirroring, including the 68 face points, whose names do not show the side."""

from __future__ import annotations

from remi_stream.skeletons import JOINTS, mirror_pairs

JAW, BROWS = [(at, 16 - at) for at in range(8)], [(17 + at, 26 - at) for at in range(5)]
NOSE = [(31, 35), (32, 34)]
EYES = [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
LIPS = [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
FACE = [*JAW, *BROWS, *NOSE, *EYES, *LIPS]
"""Pairs in the 68-point face markup (iBUG 300-W)."""


def mirrored_joints(skeleton: str) -> list[tuple[int, int]]:
    """Return the left-right pairs of a skeleton's joints, as indices."""
    names = JOINTS[skeleton]
    face = names.index("face_0") if "face_0" in names else None
    return mirror_pairs(names) + ([] if face is None else [(face + one, face + other) for one, other in FACE])
