"""Joint names and bones of the skeletons that engines publish."""

from __future__ import annotations

SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

_SMPL = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot neck "
    "left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hand "
    "right_hand"
)
_BLAZEPOSE = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear mouth_left "
    "mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky right_pinky "
    "left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel "
    "right_heel left_foot_index right_foot_index"
)

JOINTS: dict[str, tuple[str, ...]] = {
    "smpl24": tuple(_SMPL.split()),
    "blazepose33": tuple(_BLAZEPOSE.split()),
    "point": ("middle",),
}

_BLAZEPOSE_EDGES = (
    "0-2 2-7 0-5 5-8 9-10 11-12 11-13 13-15 12-14 14-16 15-17 15-19 15-21 16-18 16-20 16-22 11-23 12-24 23-24 23-25 25-27 "
    "27-29 29-31 27-31 24-26 26-28 28-30 30-32 28-32"
)

EDGES: dict[str, tuple[tuple[int, int], ...]] = {
    "smpl24": tuple((parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0),
    "blazepose33": tuple((int(a), int(b)) for a, b in (edge.split("-") for edge in _BLAZEPOSE_EDGES.split())),
    "point": (),
}

LIMB_JOINTS = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)


def indices(skeleton: str, names: tuple[str, ...]) -> list[int]:
    """Where the named joints stand in a skeleton."""
    return [JOINTS[skeleton].index(name) for name in names]
