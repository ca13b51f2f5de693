"""The rasteriser against a slow one that is plainly right."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from remi_stream.sinks.display.raster import visible

WIDTH, HEIGHT = 24, 18


def slow(triangles: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """The number of the triangle that is seen in each pixel (H, W), -1 where there is none."""
    seen = np.full((HEIGHT, WIDTH), -1)
    for face in np.argsort(-depths, kind="stable"):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                a, b, c = triangles[face]
                turns = [(q - p)[0] * (y - p[1]) - (q - p)[1] * (x - p[0]) for p, q in ((a, b), (b, c), (c, a))]
                if min(turns) >= 0 or max(turns) <= 0:
                    seen[y, x] = face
    return seen


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(0.5, 12))
def test_each_pixel_shows_the_nearest_triangle_that_covers_its_centre(seed: int, count: int, size: float) -> None:
    random = np.random.default_rng(seed)
    triangles = random.uniform((-4, -4), (WIDTH + 4, HEIGHT + 4), (count, 1, 2)) + random.uniform(-size, size, (count, 3, 2))
    depths = random.uniform(1, 5, count)
    pixels, faces = visible(triangles, depths, (WIDTH, HEIGHT))
    found = np.full(HEIGHT * WIDTH, -1)
    found[pixels] = faces
    assert np.array_equal(found.reshape(HEIGHT, WIDTH), slow(triangles, depths))


def test_nothing_is_seen_of_triangles_between_pixels_or_beside_the_picture() -> None:
    between = np.array([[[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]]])
    beside = between + [WIDTH + 5, 0]
    pixels, faces = visible(np.concatenate([between, beside]), np.ones(2), (WIDTH, HEIGHT))
    assert len(pixels) == len(faces) == 0


def test_triangles_that_share_an_edge_leave_no_hole() -> None:
    square = np.array([[2.5, 3.1], [20.2, 4.4], [18.7, 15.3], [3.9, 14.2]])
    pixels, _ = visible(square[[[0, 1, 2], [0, 2, 3]]], np.ones(2), (WIDTH, HEIGHT))
    image = np.zeros(HEIGHT * WIDTH, bool)
    image[pixels] = True
    for row in image.reshape(HEIGHT, WIDTH):
        covered = np.flatnonzero(row)
        assert len(covered) == 0 or len(covered) == covered[-1] - covered[0] + 1
