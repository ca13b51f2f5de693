from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from remi_stream.pose.heatmaps import HeatmapNorm, decode_argmax, decode_soft_argmax, heatmap_to_image, unflip_heatmaps


def blobs(points: np.ndarray, height: int = 64, width: int = 48, spread: float = 1.5) -> np.ndarray:
    """A map (K, height, width) for each point (K, 2)."""
    y, x = np.mgrid[:height, :width]
    squares = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
    return np.exp(-squares / (2 * spread**2)).astype(np.float32)


def logits(heat: np.ndarray) -> np.ndarray:
    return np.log(0.9 * heat + 1e-9) - np.log(1 - 0.9 * heat)


POINTS = np.random.default_rng(1).uniform((8, 8), (40, 56), (136, 2))


def test_middle_of_the_mass_is_exact() -> None:
    points, scores = decode_soft_argmax(logits(blobs(POINTS)))
    assert np.abs(points - POINTS).max() < 0.02
    np.testing.assert_allclose(scores, 0.9 * blobs(POINTS).max((1, 2)), atol=1e-3)


@pytest.mark.parametrize(("norm", "maps"), [("softmax", np.log(blobs(POINTS) + 1e-9)), ("divide_sum", -blobs(POINTS))])
def test_other_norms_know_no_scores(norm: HeatmapNorm, maps: np.ndarray) -> None:
    points, scores = decode_soft_argmax(maps.astype(np.float32), norm)
    assert np.abs(points - POINTS).max() < 0.02
    np.testing.assert_array_equal(scores, 1)


def test_peak_is_within_a_quarter_of_a_pixel() -> None:
    points, scores = decode_argmax(blobs(POINTS))
    assert np.abs(points - POINTS).max() <= 0.2501
    np.testing.assert_array_equal(scores, blobs(POINTS).max((1, 2)))


def test_peak_leans_to_its_larger_neighbour_unless_it_is_at_the_edge() -> None:
    maps = np.zeros((4, 10, 10), np.float32)
    for index, (x, y) in enumerate([(5, 5), (1, 5), (8, 5), (9, 9)]):
        maps[index, y, x] = 1
        maps[index, y, x - 1] = 0.5
        maps[index, y - 1, x] = 0.25
    points, _ = decode_argmax(maps)
    np.testing.assert_array_equal(points, [[4.75, 4.75], [1, 5], [7.75, 4.75], [9, 9]])


def test_empty_heatmap_is_decoded_to_the_origin() -> None:
    maps = np.full((2, 64, 48), -0.5, np.float32)
    maps[:, 20, 30] = -0.25, 0
    points, scores = decode_argmax(maps)
    np.testing.assert_array_equal(points, 0)
    np.testing.assert_array_equal(scores, [-0.25, 0])


@pytest.mark.parametrize(
    "decode", [decode_argmax, *(lambda maps, norm=norm: decode_soft_argmax(maps, norm) for norm in get_args(HeatmapNorm))]
)
def test_people_are_decoded_independently(decode: object) -> None:
    assert callable(decode)
    maps = np.random.default_rng(2).normal(size=(3, 5, 16, 12)).astype(np.float32)
    points, scores = decode(maps)
    assert (points.shape, scores.shape) == ((3, 5, 2), (3, 5))
    for index in range(3):
        alone, score = decode(maps[index])
        np.testing.assert_allclose(points[index], alone, atol=1e-4)
        np.testing.assert_allclose(scores[index], score, atol=1e-6)


def test_enormous_logits_are_no_overflow() -> None:
    maps = np.full((1, 8, 8), -1e4, np.float32)
    maps[0, 3, 2] = 1e4
    with np.errstate(all="raise", under="ignore"):
        points, scores = decode_soft_argmax(maps)
    np.testing.assert_allclose(points, [[2, 3]], atol=1e-4)
    np.testing.assert_allclose(scores, [1])


PAIRS = [(0, 1), (3, 4)]


def test_mirrored_maps_show_the_other_side() -> None:
    maps = np.random.default_rng(3).normal(size=(5, 6, 4)).astype(np.float32)
    found = unflip_heatmaps(maps, PAIRS, shift=False)
    np.testing.assert_array_equal(found[0], maps[1, :, ::-1])
    np.testing.assert_array_equal(found[2], maps[2, :, ::-1])
    np.testing.assert_array_equal(unflip_heatmaps(found, PAIRS, shift=False), maps)


def test_shift_moves_every_column_but_the_first() -> None:
    maps = np.random.default_rng(4).normal(size=(2, 5, 6, 4)).astype(np.float32)
    still, moved = unflip_heatmaps(maps, PAIRS, shift=False), unflip_heatmaps(maps, PAIRS, shift=True)
    np.testing.assert_array_equal(moved[..., 1:], still[..., :-1])
    np.testing.assert_array_equal(moved[..., 0], still[..., 0])


def test_middle_of_the_maps_is_the_middle_of_the_box() -> None:
    box = np.array([100, 50, 220, 210.0])
    found = heatmap_to_image(np.array([[24, 32], [0, 0], [48, 64]], np.float32), box, (48, 64))
    np.testing.assert_allclose(found, [[160, 130], [100, 50], [220, 210]])
