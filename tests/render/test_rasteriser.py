"""The rasteriser compared with a slow, simple one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from remi_stream.render.rasteriser import interpolation_planes, visible_triangles

WIDTH, HEIGHT = 24, 18


def slow(triangles: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """Index of the visible triangle of each pixel (H, W), -1 where there is none."""
    seen = np.full((HEIGHT, WIDTH), -1)
    for face in np.argsort(-depths, kind="stable"):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                a, b, c = triangles[face]
                turns = [(q - p)[0] * (y - p[1]) - (q - p)[1] * (x - p[0]) for p, q in ((a, b), (b, c), (c, a))]
                if min(turns) >= 0 or max(turns) <= 0:
                    seen[y, x] = face
    return seen


def quick(triangles: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """The same from the rasteriser."""
    pixels, faces = visible_triangles(triangles, depths, (WIDTH, HEIGHT))
    assert len(np.unique(pixels)) == len(pixels)
    found = np.full(HEIGHT * WIDTH, -1)
    found[pixels] = faces
    return found.reshape(HEIGHT, WIDTH)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(0.5, 60))
def test_each_pixel_shows_the_nearest_triangle_that_covers_its_centre(seed: int, count: int, size: float) -> None:
    random = np.random.default_rng(seed)
    triangles = random.uniform((-4, -4), (WIDTH + 4, HEIGHT + 4), (count, 1, 2)) + random.uniform(-size, size, (count, 3, 2))
    depths = random.uniform(1, 5, count)
    assert np.array_equal(quick(triangles, depths), slow(triangles, depths))


def test_corners_on_pixels_and_level_sides_are_right_in_any_order() -> None:
    for turn in range(3):
        for way in (1, -1):
            flat_top = np.roll(np.array([[2.0, 3], [9, 3], [5, 8]])[::way], turn, axis=0)
            flat_bottom = np.roll(np.array([[12.0, 9], [19, 9], [15, 4]])[::way], turn, axis=0)
            triangles = np.stack([flat_top, flat_bottom])
            assert np.array_equal(quick(triangles, np.array([1.0, 2])), slow(triangles, np.array([1.0, 2])))


def test_triangles_between_pixels_or_outside_the_image_cover_nothing() -> None:
    between = np.array([[[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]]])
    beside = [between + [WIDTH + 5, 0], between - [0, 50], between * 1e9 + [0, 1e9]]
    assert (quick(np.concatenate([between, *beside]), np.ones(4)) == -1).all()
    assert (quick(np.zeros((0, 3, 2)), np.zeros(0)) == -1).all()


def test_triangles_that_share_an_edge_leave_no_hole() -> None:
    square = np.array([[2.5, 3.1], [20.2, 4.4], [18.7, 15.3], [3.9, 14.2]])
    for row in quick(square[[[0, 1, 2], [0, 2, 3]]], np.ones(2)) >= 0:
        covered = np.flatnonzero(row)
        assert len(covered) == 0 or len(covered) == covered[-1] - covered[0] + 1


def test_values_change_evenly_between_corners() -> None:
    random = np.random.default_rng(1)
    triangles, values, shares = random.uniform(0, 20, (50, 3, 2)), random.uniform(0, 1, (50, 3)), random.dirichlet(np.ones(3), 50)
    x, y = np.einsum("pk,pka->ap", shares, triangles)
    along_x, along_y, at_zero = interpolation_planes(triangles, values).T
    assert np.allclose(along_x * x + along_y * y + at_zero, (shares * values).sum(1))


def test_triangle_without_an_area_has_the_value_of_its_corner() -> None:
    flat = np.array([[[1.0, 1], [3, 3], [5, 5]]])
    assert np.array_equal(interpolation_planes(flat, np.array([[0.5, 0.6, 0.7]])), [[0, 0, 0.5]])
