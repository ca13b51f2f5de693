"""Upright crops and their way back to the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.pose.crop import (
    ALPHAPOSE_HEIGHT,
    ALPHAPOSE_WIDTH,
    alphapose_affine,
    alphapose_crops,
    boxes_from_crops,
    warp_crops,
)
from remi_stream.pose.heatmaps import heatmap_to_image

PLACE = st.floats(-200, 2000)
SIDE = st.floats(4, 1500)


@given(PLACE, PLACE, SIDE, SIDE)
def test_crop_has_the_networks_shape_and_holds_the_box_with_room(x: float, y: float, width: float, height: float) -> None:
    box = np.array([[x, y, x + width, y + height]], np.float32)
    crop = alphapose_crops(box)
    around = boxes_from_crops(crop)[0]
    assert crop[0, 2] * ALPHAPOSE_HEIGHT == pytest.approx(crop[0, 3] * ALPHAPOSE_WIDTH, rel=1e-5)
    np.testing.assert_allclose(crop[0, :2], [x + width / 2, y + height / 2], atol=1e-2)
    sides = box[0, 2:] - box[0, :2]
    room = (crop[0, 2:] - sides) / crop[0, 2:]
    assert room.min() == pytest.approx(0.2, abs=1e-4)
    assert (around[:2] < box[0, :2]).all()
    assert (around[2:] > box[0, 2:]).all()


@given(PLACE, PLACE, SIDE, SIDE, st.floats(0, 1), st.floats(0, 1))
def test_point_of_the_crop_comes_back_to_its_place(
    x: float, y: float, width: float, height: float, across: float, down: float
) -> None:
    crop = alphapose_crops(np.array([[x, y, x + width, y + height]], np.float32))
    box = boxes_from_crops(crop)
    point = box[0, :2] + (across, down) * (box[0, 2:] - box[0, :2])
    there = alphapose_affine(crop[0]) @ [*point, 1]
    back = heatmap_to_image(there[None] / 4, box[0], (ALPHAPOSE_WIDTH // 4, ALPHAPOSE_HEIGHT // 4))[0]
    np.testing.assert_allclose(back, point, atol=2e-3 * max(1, crop[0, 2] / 100))


def test_box_is_scaled_to_the_whole_crop() -> None:
    box = np.array([[100, 50, 250, 250]], np.float32)  # 3:4
    affine = alphapose_affine(alphapose_crops(box)[0])
    np.testing.assert_allclose(affine @ [175, 150, 1], [96, 128], atol=1e-4)
    np.testing.assert_allclose(affine @ [100, 50, 1], [96 - 96 / 1.25, 128 - 128 / 1.25], atol=1e-4)


def cut(image: np.ndarray, crops: np.ndarray) -> np.ndarray:
    affines = np.stack([alphapose_affine(crop) for crop in crops])
    return warp_crops([image] * len(crops), affines, (ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT))


def test_crop_is_rgb_and_black_outside_the_image() -> None:
    image = np.full((200, 150, 3), (10, 20, 30), np.uint8)
    pictures = cut(image, alphapose_crops(np.array([[0, 0, 150, 200], [100, 0, 250, 200]], np.float32)))
    assert pictures.shape == (2, ALPHAPOSE_HEIGHT, ALPHAPOSE_WIDTH, 3)
    np.testing.assert_array_equal(pictures[:, 128, 60], [[30, 20, 10], [30, 20, 10]])
    np.testing.assert_array_equal(pictures[0, 5, 5], 0)
    np.testing.assert_array_equal(pictures[1, 128, 120], 0)


def test_crop_of_its_own_size_is_the_image_itself() -> None:
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.integers(0, 255, (300, 300, 3), dtype=np.uint8), (0, 0), 2)
    crop = np.array([40 + ALPHAPOSE_WIDTH / 2, 20 + ALPHAPOSE_HEIGHT / 2, ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT], np.float32)
    np.testing.assert_array_equal(cut(image, crop[None])[0], image[20 : 20 + ALPHAPOSE_HEIGHT, 40 : 40 + ALPHAPOSE_WIDTH, ::-1])
