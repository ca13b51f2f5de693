"""Tiling: the whole image, and everyone well inside at least one tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.detect.detector import MAX_TILES, tile_rectangles

SIDE = st.integers(200, 4000)


def test_hd_image_has_the_whole_and_three_tiles() -> None:
    assert tile_rectangles((1280, 720)) == [(0, 0, 1280, 720), (0, 0, 720, 720), (280, 0, 1000, 720), (560, 0, 1280, 720)]


def test_portrait_image_is_tiled_from_top_to_bottom() -> None:
    assert tile_rectangles((720, 1280))[1:] == [(0, 0, 720, 720), (0, 280, 720, 1000), (0, 560, 720, 1280)]


def test_square_image_is_not_tiled() -> None:
    assert len(tile_rectangles((640, 640))) == 1


@given(SIDE, SIDE, st.floats(0, 1))
def test_every_place_is_away_from_the_edge_of_some_tile(width: int, height: int, where: float) -> None:
    squares = np.array(tile_rectangles((width, height))[1:])
    if len(squares):
        axis = 0 if width > height else 1
        side, length = min(width, height), max(width, height)
        place = 0.25 * side + where * (length - 0.5 * side)
        inside = np.minimum(place - squares[:, axis], squares[:, axis + 2] - place)
        assert inside.max() >= 0.25 * side - 1e-6


@given(st.integers(1, 16384), st.integers(1, 16384))
def test_tiles_are_few_and_cover_an_image_of_any_shape(width: int, height: int) -> None:
    tiles = np.array(tile_rectangles((width, height)))
    assert len(tiles) <= 1 + MAX_TILES
    assert (tiles[:, :2] >= 0).all()
    assert (tiles[:, 2:] <= np.array([width, height]) + 1e-6).all()
    axis = 0 if width > height else 1
    starts, ends = tiles[1:, axis], tiles[1:, axis + 2]
    assert (starts[1:] < ends[:-1]).all()
    if len(starts):
        assert (starts[0], ends[-1]) == (0, max(width, height))


def test_usual_shapes_have_square_tiles() -> None:
    for size in ((1280, 720), (3840, 1080), (7000, 1000)):
        assert [x1 - x0 for x0, _, x1, _ in tile_rectangles(size)[1:]] == pytest.approx(
            [size[1]] * (len(tile_rectangles(size)) - 1)
        )
