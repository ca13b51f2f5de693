"""Rotated and mirrored images: a world point is projected to the pixel that shows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.preprocess import orient_image, oriented_camera_pose, oriented_intrinsics, oriented_size
from remi_stream.geometry import Intrinsics, project

TURNS = [0, 90, 180, 270]
SIZE = (7, 5)
FLOAT = st.floats(1, 2000)
INTRINSICS = st.tuples(FLOAT, FLOAT, FLOAT, FLOAT)


def sample_image() -> np.ndarray:
    return np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint8).reshape(SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize("rotate", TURNS)
def test_mirroring_twice_changes_nothing(rotate: int) -> None:
    turned = orient_image(sample_image(), rotate, mirror=False)
    assert np.array_equal(orient_image(orient_image(sample_image(), rotate, mirror=True), 0, mirror=True), turned)


def test_four_quarter_turns_change_nothing() -> None:
    image = sample_image()
    for _ in range(4):
        image = orient_image(image, 90, mirror=False)
    assert np.array_equal(image, sample_image())


@pytest.mark.parametrize("rotate", TURNS)
def test_rotation_is_clockwise(rotate: int) -> None:
    assert np.array_equal(orient_image(sample_image(), rotate, mirror=False), np.rot90(sample_image(), -rotate // 90))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate", TURNS)
def test_size_and_principal_point_rotate_with_the_image(rotate: int, mirror: bool) -> None:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[1, 5] = 255
    turned = orient_image(image, rotate, mirror)
    y, x = np.argwhere(turned[..., 0])[0]
    assert oriented_size(SIZE, rotate) == (turned.shape[1], turned.shape[0])
    assert oriented_intrinsics((100, 200, 5, 1), SIZE, rotate, mirror)[2:] == (x, y)


@given(INTRINSICS)
def test_mirroring_the_camera_twice_gives_it_back(intrinsics: Intrinsics) -> None:
    twice = oriented_intrinsics(oriented_intrinsics(intrinsics, (1280, 720), 0, True), (1280, 720), 0, True)
    assert twice == pytest.approx(intrinsics)


@pytest.mark.parametrize("rotate", TURNS)
@given(intrinsics=INTRINSICS, point=st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(1, 9)))
def test_world_point_is_projected_to_the_rotated_pixel(
    rotate: int, intrinsics: Intrinsics, point: tuple[float, float, float]
) -> None:
    width, height = 1280, 720
    x, y = project(np.array(point), intrinsics)
    for _ in range(rotate // 90):
        x, y, width, height = height - 1 - y, x, height, width
    turned = oriented_camera_pose(np.eye(4), rotate) @ [*point, 1.0]
    assert project(turned[:3], oriented_intrinsics(intrinsics, (1280, 720), rotate, False)) == pytest.approx((x, y))
