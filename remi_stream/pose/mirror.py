"""Left-right joint pairs of a skeleton for mirroring, including the 68 face points, whose names do not show the side."""

from __future__ import annotations

from remi_stream.skeletons import JOINT_NAMES, left_right_pairs

JAW_PAIRS, BROW_PAIRS = [(at, 16 - at) for at in range(8)], [(17 + at, 26 - at) for at in range(5)]
NOSE_PAIRS = [(31, 35), (32, 34)]
EYE_PAIRS = [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
LIP_PAIRS = [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
FACE_PAIRS = [*JAW_PAIRS, *BROW_PAIRS, *NOSE_PAIRS, *EYE_PAIRS, *LIP_PAIRS]
"""Pairs in the 68-point face markup (iBUG 300-W)."""


def mirror_joint_pairs(skeleton: str) -> list[tuple[int, int]]:
    """Return the left-right pairs of a skeleton's joints, as indices."""
    names = JOINT_NAMES[skeleton]
    face = names.index("face_0") if "face_0" in names else None
    return left_right_pairs(names) + ([] if face is None else [(face + one, face + other) for one, other in FACE_PAIRS])
