"""The square crops of mesh regressors: geometry by properties."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remi_stream.geometry import default_intrinsics
from remi_stream.pose.crop import SquareCrop, cliff_bbox_info, crop_affine, square_crop, square_crop_affine, warp_crops

BOXES = [(100, 50, 300, 650), (-80, -20, 40, 90), (1200, 600, 1500, 700), (10.25, 20.5, 11, 20.75)]


@pytest.mark.parametrize("box", BOXES)
def test_square_holds_the_enlarged_box_in_its_middle(box: tuple[float, ...]) -> None:
    x0, y0, x1, y1 = box
    square = square_crop(np.array(box, np.float32), 1.2)
    assert (square.x, square.y) == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2))
    assert square.side == pytest.approx(max(1.2 * max(x1 - x0, y1 - y0), 1.0))


@pytest.mark.parametrize("box", BOXES[:3])
def test_edges_of_the_square_are_those_of_the_crop(box: tuple[float, ...]) -> None:
    square = square_crop(np.array(box, np.float32), 1.2)
    affine = crop_affine((square.x, square.y), (square.side, square.side), (224, 224))
    half = square.side / 2
    corners = np.array([[square.x - half, square.y - half, 1], [square.x + half, square.y + half, 1]])
    np.testing.assert_allclose(corners @ affine.T, [[0, 0], [224, 224]], atol=1e-3)
    back = cv2.invertAffineTransform(affine)
    crop = np.array([[17.0, 203.0, 1.0]])
    there = np.append(crop @ back.T, [[1]], axis=1)
    np.testing.assert_allclose(there @ affine.T, crop[:, :2], atol=1e-6)


def cut(image: np.ndarray, square: SquareCrop) -> np.ndarray:
    return warp_crops([image], square_crop_affine(square, 224)[None], (224, 224))[0]


def test_image_pixels_are_in_place_in_the_crop_as_rgb() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(image, (400, 300), 12, (0, 0, 255), cv2.FILLED)  # red, as OpenCV says it
    crop = cut(image, SquareCrop(380.0, 260.0, 200.0))
    rows, columns = np.nonzero(crop[..., 0] > 128)
    assert (columns.mean(), rows.mean()) == pytest.approx((112 + 20 * 1.12, 112 + 40 * 1.12), abs=0.6)
    assert crop[..., 1:].max() == 0


def test_outside_of_the_image_is_black() -> None:
    crop = cut(np.full((480, 640, 3), 200, np.uint8), SquareCrop(0.0, 0.0, 100.0))
    assert crop[:100].max() == crop[:, :100].max() == 0
    assert crop[120:, 120:].min() == 200


def test_bbox_info_depends_on_angles_not_on_pixels() -> None:
    square = SquareCrop(400.0, 100.0, 300.0)
    once = cliff_bbox_info(square, (800.0, 800.0, 320.0, 240.0))
    twice = cliff_bbox_info(SquareCrop(800.0, 200.0, 600.0), (1600.0, 1600.0, 640.0, 480.0))
    np.testing.assert_allclose(once, twice, rtol=1e-6)
    assert once.dtype == np.float32
    assert once[:2] == pytest.approx((0.28, -0.49))


def test_square_in_the_middle_of_an_ordinary_camera_is_in_the_middle_of_the_view() -> None:
    width, height = 1280, 720
    assert cliff_bbox_info(
        SquareCrop(640.0, 360.0, 0.24 * np.hypot(width, height)), default_intrinsics(width, height)
    ) == pytest.approx((0, 0, 0), abs=1e-5)
