from __future__ import annotations

import pytest

from remi_stream.skeletons import BONES, H36M_PARENTS, JOINT_NAMES, LIMB_JOINTS, joint_indices, left_right_pairs

SIZES = {"smpl24": 24, "blazepose33": 33, "coco17": 17, "halpe26": 26, "halpe136": 136, "h36m17": 17, "mhr70": 70, "point": 1}
WHOLE = [name for name in JOINT_NAMES if name != "point"]


def test_every_skeleton_has_its_joints_once() -> None:
    assert {name: len(joints) for name, joints in JOINT_NAMES.items()} == SIZES
    assert all(len(set(joints)) == len(joints) for joints in JOINT_NAMES.values())


@pytest.mark.parametrize("name", WHOLE)
def test_bones_join_two_joints_of_the_skeleton_once(name: str) -> None:
    bones = BONES[name]
    assert all(0 <= joint < len(JOINT_NAMES[name]) for bone in bones for joint in bone)
    assert len({frozenset(bone) for bone in bones}) == len(bones)
    assert all(first != second for first, second in bones)


@pytest.mark.parametrize("name", WHOLE)
def test_limbs_are_named_and_drawn_in_every_skeleton(name: str) -> None:
    limbs = dict(zip(LIMB_JOINTS, joint_indices(name, LIMB_JOINTS)))
    bones = {frozenset(bone) for bone in BONES[name]}
    for side in ("left", "right"):
        for first, second in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            assert frozenset((limbs[f"{side}_{first}"], limbs[f"{side}_{second}"])) in bones, (side, first)


@pytest.mark.parametrize("name", WHOLE)
def test_bones_are_the_same_on_both_sides(name: str) -> None:
    twins = {index: index for index in range(len(JOINT_NAMES[name]))}
    for left, right in left_right_pairs(JOINT_NAMES[name]):
        twins[left], twins[right] = right, left
    bones = {frozenset(bone) for bone in BONES[name]}
    faces = {frozenset(bone) for bone in BONES[name] if any(JOINT_NAMES[name][joint].startswith("face") for joint in bone)}
    assert {frozenset(twins[joint] for joint in bone) for bone in bones} - faces <= bones


def test_larger_models_of_alphapose_begin_with_the_smaller_ones() -> None:
    assert JOINT_NAMES["halpe136"][:26] == JOINT_NAMES["halpe26"]
    assert JOINT_NAMES["halpe26"][:17] == JOINT_NAMES["coco17"]
    assert JOINT_NAMES["halpe26"][17:20] == ("head", "neck", "hip")
    assert JOINT_NAMES["halpe136"].index("left_hand_root") == 94
    assert JOINT_NAMES["halpe136"].index("right_pinky_4") == 135


def test_orders_are_the_published_ones() -> None:
    assert JOINT_NAMES["h36m17"][8:11] == ("thorax", "neck_nose", "head")
    assert H36M_PARENTS == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    mhr = JOINT_NAMES["mhr70"]
    assert (mhr[21], mhr[41], mhr[42], mhr[62], mhr[63], mhr[69]) == (
        "right_thumb_tip", "right_wrist", "left_thumb_tip", "left_wrist", "left_olecranon", "neck"
    )  # fmt: skip


def test_left_right_pairs_of_coco_are_neighbours() -> None:
    assert left_right_pairs(JOINT_NAMES["coco17"]) == [(index, index + 1) for index in range(1, 17, 2)]
