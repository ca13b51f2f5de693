"""Crops from a device are bit-identical to OpenCV's."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remi_stream.inference.gpu_crops import Cropper, inverse_affines
from remi_stream.pose import crop as upright
from remi_stream.pose.crop import SquareCrop, crop_affine, warp_crops

SIDE = 224
SIZES = ((320, 181), (97, 240))
PICTURES = [np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8) for width, height in SIZES]
"""Of noise, where half a grey level of a neighbour too much would show; one of an odd height, one upright."""


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def expected(image: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.cvtColor(cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB)


def affine_of(square: SquareCrop, side: int = SIDE) -> np.ndarray:
    return crop_affine((square.x, square.y), (square.side, square.side), (side, side))


SQUARES = st.builds(SquareCrop, st.floats(-200, 520), st.floats(-200, 440), st.floats(1, 900))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), SQUARES), min_size=1, max_size=3))
def test_squares_inside_across_and_outside_of_images_are_opencvs(people: list[tuple[int, SquareCrop]]) -> None:
    images = [PICTURES[picture] for picture, _ in people]
    affines = np.array([affine_of(square, 64) for _, square in people])
    found = Cropper("cpu").crop(images, affines, (64, 64)).numpy()
    for crop, image, affine in zip(found, images, affines):
        np.testing.assert_array_equal(crop, expected(image, affine, (64, 64)))


@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-300, 300), st.floats(-300, 300))
def test_turned_mirrored_and_sheared_crops_are_opencvs(turn: list[float], right: float, down: float) -> None:
    affine = np.array([[turn[0], turn[1], right], [turn[2], turn[3], down]])
    if abs(np.linalg.det(affine[:, :2])) < 1e-3:  # a million px away whole numbers overflow in OpenCV
        return
    found = Cropper("cpu").crop([PICTURES[0]], affine[None], (50, 70)).numpy()[0]
    np.testing.assert_array_equal(found, expected(PICTURES[0], affine, (50, 70)))


def test_people_of_several_cameras_are_cut_in_one_batch_as_the_engines_cut_them(device: str) -> None:
    rng = np.random.default_rng(5)
    cutter = Cropper(device)
    for width, height in ((1920, 1080), (640, 480)):  # the second time less of the memory is used
        images = [rng.integers(0, 256, (height, width, 3), np.uint8), PICTURES[1], PICTURES[0]]
        whose = [0, 2, 0, 1, 1, 0, 2, 0]
        squares = [SquareCrop(*(rng.uniform(-0.1, 1.1, 2) * (width, height)), rng.uniform(20, 900)) for _ in whose]
        affines = np.array([affine_of(square) for square in squares])
        found = cutter.crop([images[index] for index in whose], affines, (SIDE, SIDE))
        assert found.device.type == device
        served = warp_crops([images[index] for index in whose], affines, (SIDE, SIDE))
        np.testing.assert_array_equal(found.cpu().numpy(), served)


def test_upright_crops_are_those_of_alphapose(device: str) -> None:
    places = upright.alphapose_crops(np.array([[10, 20, 90, 170], [-50, -40, 60, 400], [300, 160, 330, 190]], np.float32))
    affines = np.array([upright.alphapose_affine(place) for place in places])
    size = (upright.ALPHAPOSE_WIDTH, upright.ALPHAPOSE_HEIGHT)
    found = Cropper(device).crop([PICTURES[0]] * 3, affines, size)
    np.testing.assert_array_equal(found.cpu().numpy(), warp_crops([PICTURES[0]] * 3, affines, size))


def test_crops_of_the_last_call_survive_the_next_upload(device: str) -> None:
    cutter, affine = Cropper(device), affine_of(SquareCrop(100, 90, 120))[None]
    first = cutter.crop([PICTURES[0]], affine, (SIDE, SIDE))
    cutter.crop([PICTURES[1]], affine, (SIDE, SIDE))
    np.testing.assert_array_equal(first[0].cpu().numpy(), expected(PICTURES[0], affine[0], (SIDE, SIDE)))


def test_shared_image_is_uploaded_once() -> None:
    cutter, sent = Cropper("cpu"), []
    upload = cutter.upload
    cutter.upload = lambda images: sent.append(len(images)) or upload(images)  # type: ignore[method-assign, func-returns-value]
    cutter.crop([PICTURES[0], PICTURES[1], PICTURES[0]], np.array([affine_of(SquareCrop(50, 50, 40))] * 3), (SIDE, SIDE))
    assert sent == [2]


def test_read_only_and_strided_images_are_read_without_a_warning() -> None:
    locked = PICTURES[0].copy()
    locked.setflags(write=False)
    gaps = PICTURES[0][10:90, 20:200]
    affine = affine_of(SquareCrop(60, 50, 70))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Cropper("cpu").crop([locked, gaps], np.array([affine, affine]), (SIDE, SIDE)).numpy()
    np.testing.assert_array_equal(found[0], expected(locked, affine, (SIDE, SIDE)))
    np.testing.assert_array_equal(found[1], expected(gaps, affine, (SIDE, SIDE)))


def test_no_affines_give_no_crops() -> None:
    assert Cropper("cpu").crop([], np.zeros((0, 2, 3)), (192, 256)).shape == (0, 256, 192, 3)


def test_singular_or_nan_affine_gives_some_crop() -> None:
    affines = np.array([np.zeros((2, 3)), np.full((2, 3), np.nan), np.full((2, 3), np.inf), np.eye(2, 3) * 1e-30])
    with np.errstate(all="ignore"):
        assert Cropper("cpu").crop([PICTURES[0]] * 4, affines, (8, 8)).shape == (4, 8, 8, 3)


def test_inverse_maps_back() -> None:
    affine = np.random.default_rng(3).normal(size=(7, 2, 3))
    points = np.array([3.0, -8.0, 1.0])
    there = np.einsum("bij,j->bi", affine, points)
    back = np.einsum("bij,bj->bi", inverse_affines(affine), np.concatenate([there, np.ones((7, 1))], 1))
    np.testing.assert_allclose(back, np.tile(points[:2], (7, 1)), atol=1e-9)
