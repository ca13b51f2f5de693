"""The weak-perspective camera of a crop and the body's translation; POCO's uncertainty."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.geometry import default_intrinsics, project
from remi_stream.pose.crop import (
    crop_camera_transl,
    full_image_weak_camera,
    square_crop,
    square_to_image,
    transl_from_weak_camera,
)
from remi_stream.pose.smpl_regressor import (
    PoseConfidence,
    accumulate_variance,
    confidence_from_variance,
    mask_unreliable,
    person_variance,
)
from remi_stream.skeletons import SMPL_PARENTS
from tests.pose.smpl_regressor.regressing import BODY, LENS, perfect_pose, random_person

SURE = PoseConfidence(0.9, np.full(24, 0.9, np.float32))
MIDDLE, SIDE = np.array([420.0, 300.0]), 260.0
CAMERA = np.array([0.9, 0.1, -0.2])


@pytest.mark.parametrize("seed", range(8))
def test_perfect_network_gives_back_where_a_body_is(seed: int) -> None:
    person = random_person(seed)
    found = perfect_pose(person, lambda _: SURE).person
    assert found is not None
    assert found.smpl is not None
    np.testing.assert_allclose(found.smpl.transl, person.transl, atol=1e-3)
    np.testing.assert_allclose(found.joints_m, person.joints(), atol=1e-3)
    np.testing.assert_allclose(found.keypoints_px, project(person.joints(), LENS), atol=0.5)


def test_box_that_moves_moves_the_body_along_the_same_angle() -> None:
    lens = default_intrinsics(1280, 720)
    here, there = (
        transl_from_weak_camera(CAMERA, MIDDLE + moved, SIDE, lens) for moved in (np.zeros(2), np.array([50.0, -20.0]))
    )
    np.testing.assert_allclose((there - here)[:2], np.array([50.0, -20.0]) * here[2] / lens[0], atol=1e-9)
    assert there[2] == here[2]


def test_box_of_half_the_size_is_twice_as_far_away() -> None:
    near, far = (transl_from_weak_camera(CAMERA, np.array(LENS[2:]), side, LENS) for side in (SIDE, SIDE / 2))
    assert far[2] == pytest.approx(2 * near[2])
    np.testing.assert_allclose(far[:2], near[:2])


def test_body_falls_where_weak_perspective_put_it() -> None:
    place = transl_from_weak_camera(CAMERA, MIDDLE, SIDE, LENS)
    in_crop = CAMERA[0] * CAMERA[1:]
    expected = MIDDLE + (in_crop * (1, 1)) * SIDE / 2
    np.testing.assert_allclose(project(place, LENS), expected, atol=1e-9)


def test_full_image_camera_projects_as_the_crops_camera() -> None:
    size = (1280, 720)
    point = np.array([0.3, -0.5])
    sx, sy, tx, ty = full_image_weak_camera(CAMERA, MIDDLE, np.array(SIDE), size)
    in_picture = (np.array([sx, sy]) * (point + (tx, ty)) + 1) / 2 * size
    in_crop = CAMERA[0] * (point + CAMERA[1:])
    np.testing.assert_allclose(square_to_image(in_crop[None], MIDDLE, np.array(SIDE))[0], in_picture, atol=1e-9)


def test_stacks_are_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    cameras, middles, sides = rng.uniform(0.5, 1.5, (5, 3)), rng.uniform(0, 700, (5, 2)), rng.uniform(50, 500, 5)
    one_by_one = [transl_from_weak_camera(*row, LENS) for row in zip(cameras, middles, sides)]
    np.testing.assert_allclose(transl_from_weak_camera(cameras, middles, sides, LENS), one_by_one)
    np.testing.assert_allclose(crop_camera_transl(cameras), [crop_camera_transl(camera) for camera in cameras])


def test_variance_adds_up_along_the_limb() -> None:
    own = np.random.default_rng(5).uniform(0, 0.1, (3, 24)).astype(np.float32)
    total = accumulate_variance(own)
    hand = 23
    chain = [hand]
    while SMPL_PARENTS[chain[-1]] >= 0:
        chain.append(SMPL_PARENTS[chain[-1]])
    np.testing.assert_allclose(total[:, hand], own[:, chain].sum(1), rtol=1e-6)
    np.testing.assert_array_equal(total[:, 0], own[:, 0])
    assert own.max() <= np.float32(0.1)  # the input is not changed
    np.testing.assert_allclose(confidence_from_variance(total), 1 - total)


@pytest.mark.parametrize(("variant", "pelvis", "gone"), [("poco_cliff", 0.79, False), ("poco_cliff", 0.81, True)])
def test_cliff_is_lost_above_four_fifths(variant: str, pelvis: float, gone: bool) -> None:
    own = np.full((1, 24), 0.3, np.float32)
    own[0, 0] = pelvis
    assert person_variance(own, variant) == pytest.approx(1 if gone else pelvis)
    assert mask_unreliable(own, variant)[0, 5] == pytest.approx(1 if gone else 0.3)


@pytest.mark.parametrize(("pelvis", "whole"), [(0.39, (0.39 + 23 * 0.3) / 24), (0.41, 1.0)])
def test_pare_is_lost_above_two_fifths(pelvis: float, whole: float) -> None:
    own = np.full((1, 24), 0.3, np.float32)
    own[0, 0] = pelvis
    assert person_variance(own, "poco_pare") == pytest.approx(whole)


def test_square_of_a_tight_box_holds_the_body() -> None:
    person = random_person(1)
    square = square_crop(person.box(), 1.2)
    pixels = project(person.joints(), LENS)
    assert (np.abs(pixels - (square.x, square.y)) < square.side / 2).all()
    assert BODY.name == "open"
