"""Occluders, and masking them out."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.messages import Person
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.tracking.occlusion import masked_image, mostly_occluded, occluders, occlusion_mask
from tests.sample import person

BOX = np.array([100, 100, 200, 400], np.float32)
IMAGE = np.full((500, 500, 3), (10, 60, 200), np.uint8)


def standing(x: float, depth_m: float, height: float = 300.0) -> Person:
    """A person upright at x px, whose joints of a side lie below each other."""
    names = JOINT_NAMES["smpl24"]
    sides = np.array([x - 30 * name.startswith("left") + 30 * name.startswith("right") for name in names])
    points = np.stack([sides, np.linspace(100 + height, 100, len(names))], 1).astype(np.float32)
    joints = np.tile(np.array([[0, 0, depth_m]], np.float32), (24, 1))
    box = np.array([x - 50, 100, x + 50, 100 + height], np.float32)
    return person(keypoints_px=points, box_xyxy=box, joints_m=joints)


def test_nearer_person_beside_is_in_front() -> None:
    near = standing(180, 2.0)
    assert occluders(BOX, 4.0, [near]) == [near]


@pytest.mark.parametrize("other", [standing(180, 3.9), standing(180, 6.0), standing(450, 2.0)])
def test_person_at_the_same_distance_or_elsewhere_is_not_in_front(other: Person) -> None:
    assert occluders(BOX, 4.0, [other]) == []


def test_larger_person_is_in_front_while_a_depth_is_unknown() -> None:
    large = standing(180, 2.0, height=400)
    assert occluders(BOX, None, [large]) == [large]
    assert occluders(BOX, None, [standing(180, 2.0)]) == []


def test_masked_person_has_the_colour_of_the_surroundings() -> None:
    image = IMAGE.copy()
    near = standing(250, 2.5)
    cover = occlusion_mask((500, 500), [near], 500.0)
    image[cover > 0] = 255
    clear = masked_image(image, np.array([150, 50, 350, 450], np.float32), cover)
    assert (clear == IMAGE).all()
    assert (image[cover > 0] == 255).all()


def test_occlusion_mask_of_a_person_outside_the_image_is_empty() -> None:
    assert not occlusion_mask((500, 500), [standing(2000, 2.0)], 500.0).any()


def test_pose_whose_points_are_mostly_occluded_is_a_guess() -> None:
    near = standing(250, 2.0)
    cover = occlusion_mask((500, 500), [near], 500.0)
    assert mostly_occluded(standing(255, 4.0), cover)
    assert not mostly_occluded(standing(450, 4.0), cover)
