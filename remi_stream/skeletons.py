"""Skeletons: joint names and bones, by skeleton name.

The orders are the published ones (docs/reference/conventions.md): SMPL's, BlazePose's, COCO's and Halpe's as AlphaPose has them,
Human3.6M's as VideoPose3D has it, MHR's as InstantHMR has it. Left is the person's own left.
"""

from __future__ import annotations

import itertools

SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
H36M_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
"""Index of each joint's parent; -1: the root."""

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
_COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_HALPE = "head neck hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"  # after COCO's
_H36M = (
    "hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck_nose head left_shoulder left_elbow "
    "left_wrist right_shoulder right_elbow right_wrist"
)
_MHR_BODY = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_big_toe left_small_toe left_heel right_big_toe right_small_toe "
    "right_heel"
)
_MHR_REST = "left_olecranon right_olecranon left_cubital_fossa right_cubital_fossa left_acromion right_acromion neck"
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def _mhr_hand(side: str) -> list[str]:
    """Joint names of an MHR hand: each finger from its tip to its third joint (the knuckle), then the wrist."""
    joints = ("tip", "first_joint", "second_joint", "third_joint")
    return [*(f"{side}_{finger}_{joint}" for finger in _FINGERS for joint in joints), f"{side}_wrist"]


def _halpe_hand(side: str) -> list[str]:
    """Joint names of a Halpe hand: the root, then each finger from its knuckle to its tip."""
    return [f"{side}_hand_root", *(f"{side}_{finger}_{joint}" for finger in _FINGERS for joint in range(1, 5))]


_HALPE_FACE = [f"face_{index}" for index in range(68)]

JOINT_NAMES: dict[str, tuple[str, ...]] = {
    "smpl24": tuple(_SMPL.split()),
    "blazepose33": tuple(_BLAZEPOSE.split()),
    "coco17": tuple(_COCO.split()),
    "halpe26": tuple(f"{_COCO} {_HALPE}".split()),
    "halpe136": (*f"{_COCO} {_HALPE}".split(), *_HALPE_FACE, *_halpe_hand("left"), *_halpe_hand("right")),
    "h36m17": tuple(_H36M.split()),
    "mhr70": (*_MHR_BODY.split(), *_mhr_hand("right"), *_mhr_hand("left"), *_MHR_REST.split()),
    "point": ("middle",),
}

BonePairs = tuple[tuple[int, int], ...]

_BLAZEPOSE_EDGES = (
    "0-2 2-7 0-5 5-8 9-10 11-12 11-13 13-15 12-14 14-16 15-17 15-19 15-21 16-18 16-20 16-22 11-23 12-24 23-24 23-25 25-27 "
    "27-29 29-31 27-31 24-26 26-28 28-30 30-32 28-32"
)
_COCO_EDGES = "0-1 0-2 1-3 2-4 5-6 5-7 7-9 6-8 8-10 5-11 6-12 11-12 11-13 13-15 12-14 14-16"
_HALPE_EDGES = (
    "0-1 0-2 1-3 2-4 17-0 0-18 18-5 18-6 5-7 7-9 6-8 8-10 18-19 19-11 19-12 11-13 13-15 12-14 14-16 15-20 15-22 15-24 16-21 "
    "16-23 16-25"
)
_MHR_EDGES = (
    "0-1 0-2 1-3 2-4 0-69 69-5 69-6 5-7 6-8 7-62 8-41 5-9 6-10 9-10 9-11 11-13 10-12 12-14 13-15 13-16 13-17 14-18 14-19 14-20"
)
_FACE_LINES = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
"""[first, end) of each line of the 68 face points (iBUG 300-W): jaw, brows, nose's ridge and base, eyes, outer and inner lips."""
_FACE_CLOSED = 36
"""Lines of the face from this point on are closed."""


def _pairs(text: str) -> BonePairs:
    return tuple((int(a), int(b)) for a, b in (pair.split("-") for pair in text.split()))


def _tree(parents: tuple[int, ...]) -> BonePairs:
    return tuple((parent, joint) for joint, parent in enumerate(parents) if parent >= 0)


def _face(first: int) -> BonePairs:
    """Bones of a face of 68 points that start at joint `first`."""
    lines = [[*range(start, end), *([start] if start >= _FACE_CLOSED else [])] for start, end in _FACE_LINES]
    return tuple((first + a, first + b) for line in lines for a, b in itertools.pairwise(line))


def _hand(wrist: int, first: int, outwards: bool) -> BonePairs:
    """Bones of a hand: five fingers of four joints from joint `first` on, joined to the wrist. outwards: knuckles come first."""
    fingers = [list(range(start, start + 4)) for start in range(first, first + 20, 4)]
    chains = [[wrist, *(finger if outwards else finger[::-1])] for finger in fingers]
    return tuple(pair for chain in chains for pair in itertools.pairwise(chain))


BONES: dict[str, BonePairs] = {
    "smpl24": _tree(SMPL_PARENTS),
    "blazepose33": _pairs(_BLAZEPOSE_EDGES),
    "coco17": _pairs(_COCO_EDGES),
    "halpe26": _pairs(_HALPE_EDGES),
    "halpe136": (*_pairs(_HALPE_EDGES), *_face(26), (9, 94), *_hand(94, 95, True), (10, 115), *_hand(115, 116, True)),
    "h36m17": _tree(H36M_PARENTS),
    "mhr70": (*_pairs(_MHR_EDGES), *_hand(41, 21, False), *_hand(62, 42, False)),
    "point": (),
}

LIMB_JOINTS = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)


def joint_indices(skeleton: str, names: tuple[str, ...]) -> list[int]:
    """Indices of the named joints in a skeleton."""
    return [JOINT_NAMES[skeleton].index(name) for name in names]


def left_right_pairs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of left and right joints that swap when mirrored, matched by name."""
    twins = [(index, name.replace("left", "right", 1)) for index, name in enumerate(names) if name.startswith("left_")]
    return [(index, names.index(twin)) for index, twin in twins if twin in names]
