"""BlazePose's landmarks, refined by their heatmaps."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.pose.landmarks import HEATMAP_CELLS, POINT_COUNT, Roi, crop_roi, refine_by_heatmap, rotate_to_camera


def heat_at(x: float, y: float) -> np.ndarray:
    """Heatmaps of logits with one round hill around (x, y) cells."""
    row, column = np.mgrid[0:HEATMAP_CELLS, 0:HEATMAP_CELLS]
    hill = 6 - 2 * ((column - x) ** 2 + (row - y) ** 2)
    return np.repeat(hill[:, :, None], POINT_COUNT, 2)


@pytest.mark.parametrize(("x", "y"), [(30.0, 20.0), (12.4, 50.6), (1.0, 62.0)])
def test_points_move_to_the_middle_of_their_heat(x: float, y: float) -> None:
    guess = np.full((POINT_COUNT, 2), [(x + 1.5) / HEATMAP_CELLS, (y - 1.2) / HEATMAP_CELLS])
    points, clarity = refine_by_heatmap(guess, heat_at(x, y))
    assert np.abs(points * HEATMAP_CELLS - [x, y]).max() < 0.35
    assert (clarity > 0.9).all()


def test_points_without_heat_stay_and_are_not_clear() -> None:
    guess = np.full((POINT_COUNT, 2), 0.3)
    points, clarity = refine_by_heatmap(guess, heat_at(60, 60))
    np.testing.assert_array_equal(points, guess)
    assert clarity.max() < 0.01


def test_points_outside_of_the_region_stay() -> None:
    guess = np.full((POINT_COUNT, 2), [-0.2, 1.3])
    np.testing.assert_array_equal(refine_by_heatmap(guess, heat_at(0, 63))[0], guess)


def test_sample_shows_upright_what_the_region_maps_back() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    region = Roi(np.array([210.0, 190.0]), 200.0, 0.6)
    spot = region.to_image(np.array([[0.75, 0.25]]))[0]
    x, y = np.round(spot).astype(int)
    image[y - 3 : y + 4, x - 3 : x + 4] = (0, 0, 255)
    crop = crop_roi(image, region)
    row, column = np.argwhere(crop[:, :, 0] > 128).mean(0)
    assert np.abs(np.array([column, row]) / 256 - [0.75, 0.25]).max() < 0.01


def test_turned_points_keep_their_depth() -> None:
    np.testing.assert_allclose(rotate_to_camera(np.array([[1.0, 0, 5.0]]), np.pi / 2), [[0, 1, 5]], atol=1e-12)
