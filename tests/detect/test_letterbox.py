from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.detect.yolov3 import (
    boxes_from_letterbox_bicubic,
    boxes_from_letterbox_nearest,
    letterbox_bicubic,
    letterbox_nearest,
    nearest_indices,
)

Fit = Callable[[np.ndarray, int], np.ndarray]
Back = Callable[[np.ndarray, int, tuple[int, int]], np.ndarray]
WAYS: list[tuple[Fit, Back]] = [
    (letterbox_nearest, boxes_from_letterbox_nearest),
    (letterbox_bicubic, boxes_from_letterbox_bicubic),
]
SIZES = [(640, 480), (480, 640), (1280, 720), (333, 500), (100, 100), (1921, 1080)]


def with_patch(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    """A black image (H, W, 3) with a white rectangle."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return image


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [256, 416, 608])
@pytest.mark.parametrize("way", WAYS)
def test_box_in_the_square_maps_back_to_the_image(size: tuple[int, int], side: int, way: tuple[Fit, Back]) -> None:
    fit, back = way
    box = (size[0] // 5, size[1] // 3, size[0] * 3 // 5, size[1] * 3 // 4)
    square = fit(with_patch(size, box), side)
    assert square.shape == (side, side, 3)
    y, x = np.nonzero((square > 190).all(2))
    seen = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
    np.testing.assert_allclose(back(seen, side, size)[0], box, atol=2.5 * max(1, max(size) / side))


@pytest.mark.parametrize(("fit", "fill"), [(letterbox_nearest, 0), (letterbox_bicubic, 128)])
def test_padding_is_beside_the_image_and_of_one_colour(fit: Fit, fill: int) -> None:
    square = fit(np.full((240, 480, 3), (10, 20, 30), np.uint8), 416)
    np.testing.assert_array_equal(square[:104], fill)
    np.testing.assert_array_equal(square[312:], fill)
    assert (square[104:312] == (30, 20, 10)).all()


def test_odd_padding_goes_to_the_end() -> None:
    square = letterbox_nearest(np.full((3, 4, 3), 255, np.uint8), 4)
    assert (square[:3] == 255).all()
    assert (square[3] == 0).all()


@pytest.mark.parametrize("size", SIZES)
def test_padding_and_nearest_pixels_agree_with_the_plain_way(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    longest, short = max(size), min(size)
    before = (longest - short) // 2
    pads = [(before, longest - short - before), (0, 0)]
    full = np.pad(image, [*(pads if size[0] > size[1] else pads[::-1]), (0, 0)])
    place = nearest_indices(longest, 416)
    np.testing.assert_array_equal(letterbox_nearest(image, 416), full[place][:, place, ::-1])


@given(st.integers(1, 5000), st.integers(1, 700))
def test_nearest_pixels_are_in_the_image_and_in_order(length: int, side: int) -> None:
    place = nearest_indices(length, side)
    assert place[0] == 0
    assert place[-1] < length
    assert (np.diff(place) >= 0).all()
    assert np.abs(place - np.arange(side) * length / side).max() <= 1 + 1e-3


def test_boxes_are_clipped_to_the_image() -> None:
    found = boxes_from_letterbox_bicubic(np.array([[-50, 0, 500, 416.0]]), 416, (640, 480))
    np.testing.assert_array_equal(found, [[0, 0, 640, 480]])


def test_tracker_rounds_half_the_padding_down_and_alphapose_does_not() -> None:
    size, box = (333, 500), np.array([[69.0, 0, 346, 416]])  # 138.9 px of padding
    assert boxes_from_letterbox_nearest(box, 416, size)[0, 0] == 0
    assert boxes_from_letterbox_nearest(box, 416, size)[0, 2] == pytest.approx(333, abs=0.1)
    assert boxes_from_letterbox_bicubic(box + 1, 416, size)[0, 0] == pytest.approx((70 - 69.472) * 500 / 416, abs=1e-2)
