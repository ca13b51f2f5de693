from __future__ import annotations

import pytest

from remi_stream.skeletons import EDGES, H36M_PARENTS, JOINTS, LIMB_JOINTS, indices, mirror_pairs

SIZES = {"smpl24": 24, "blazepose33": 33, "coco17": 17, "halpe26": 26, "halpe136": 136, "h36m17": 17, "mhr70": 70, "point": 1}
WHOLE = [name for name in JOINTS if name != "point"]


def test_every_skeleton_has_its_joints_once() -> None:
    assert {name: len(joints) for name, joints in JOINTS.items()} == SIZES
    assert all(len(set(joints)) == len(joints) for joints in JOINTS.values())


@pytest.mark.parametrize("name", WHOLE)
def test_bones_join_two_joints_of_the_skeleton_once(name: str) -> None:
    bones = EDGES[name]
    assert all(0 <= joint < len(JOINTS[name]) for bone in bones for joint in bone)
    assert len({frozenset(bone) for bone in bones}) == len(bones)
    assert all(first != second for first, second in bones)


@pytest.mark.parametrize("name", WHOLE)
def test_limbs_are_named_and_drawn_in_every_skeleton(name: str) -> None:
    limbs = dict(zip(LIMB_JOINTS, indices(name, LIMB_JOINTS)))
    bones = {frozenset(bone) for bone in EDGES[name]}
    for side in ("left", "right"):
        for first, second in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            assert frozenset((limbs[f"{side}_{first}"], limbs[f"{side}_{second}"])) in bones, (side, first)


@pytest.mark.parametrize("name", WHOLE)
def test_bones_are_the_same_on_both_sides(name: str) -> None:
    twins = {index: index for index in range(len(JOINTS[name]))}
    for left, right in mirror_pairs(JOINTS[name]):
        twins[left], twins[right] = right, left
    bones = {frozenset(bone) for bone in EDGES[name]}
    faces = {frozenset(bone) for bone in EDGES[name] if any(JOINTS[name][joint].startswith("face") for joint in bone)}
    assert {frozenset(twins[joint] for joint in bone) for bone in bones} - faces <= bones


def test_larger_models_of_alphapose_begin_with_the_smaller_ones() -> None:
    assert JOINTS["halpe136"][:26] == JOINTS["halpe26"]
    assert JOINTS["halpe26"][:17] == JOINTS["coco17"]
    assert JOINTS["halpe26"][17:20] == ("head", "neck", "hip")
    assert JOINTS["halpe136"].index("left_hand_root") == 94
    assert JOINTS["halpe136"].index("right_pinky_4") == 135


def test_orders_are_the_published_ones() -> None:
    assert JOINTS["h36m17"][8:11] == ("thorax", "neck_nose", "head")
    assert H36M_PARENTS == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    mhr = JOINTS["mhr70"]
    assert (mhr[21], mhr[41], mhr[42], mhr[62], mhr[63], mhr[69]) == (
        "right_thumb_tip", "right_wrist", "left_thumb_tip", "left_wrist", "left_olecranon", "neck"
    )  # fmt: skip


def test_coco_pairs_are_its_neighbours() -> None:
    assert mirror_pairs(JOINTS["coco17"]) == [(index, index + 1) for index in range(1, 17, 2)]
