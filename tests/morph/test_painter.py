"""Where things are in a picture, what is in front, and that OpenGL draws the same."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.morph.painter import FINE, Painter, nearest
from remi_stream.morph.scale import coloured, marks, ramp, with_scale
from remi_stream.morph.shading import background
from remi_stream.morph.surface import faces_around, places
from remi_stream.morph.view import FILLED, camera_of
from tests.morph.meshes import body, cube

SIZE = (160, 120)


def painter_of(vertices: np.ndarray, faces: np.ndarray) -> Painter:
    camera = camera_of(vertices, "y", (SIZE[0] * FINE, SIZE[1] * FINE))
    return Painter(faces, faces_around(faces, places(vertices)), camera)


def test_a_mesh_fills_the_picture_and_stays_inside() -> None:
    vertices, faces = body()
    image = painter_of(vertices, faces).draw(vertices, np.full(vertices.shape, 90.0))
    assert image.shape == (SIZE[1], SIZE[0], 3)
    y, _ = np.nonzero((np.abs(image.astype(int) - background(SIZE)) > 3).any(2))
    assert (y.max() - y.min()) / SIZE[1] == pytest.approx(FILLED, abs=0.03)


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("back", [False, True])
def test_the_camera_sees_every_point_the_right_way_up(up: str, back: bool) -> None:
    points = np.random.default_rng(1).normal(size=(500, 3)) * (1, 4, 2) + (30, 2, -7)
    camera = camera_of(points, up, SIZE, back)
    pixels = camera.pixels(points)
    assert np.all(pixels > -0.5)
    assert np.all(pixels < np.array(SIZE) - 0.5)
    higher = points.mean(0) + (np.eye(3)["xyz".index(up)])
    assert camera.pixels(higher)[1] < camera.pixels(points.mean(0))[1]
    to_the_left = points.mean(0) + (1, 0, 0)
    assert (camera.pixels(to_the_left)[0] > camera.pixels(points.mean(0))[0]) != back


def test_two_triangles_that_cross_hide_each_other_by_halves() -> None:
    corners = np.array([[10.0, 10], [50, 10], [10, 50]])
    depths = np.array([[1.0, 2, 1], [2, 1, 2]])
    pixels, faces = nearest(np.stack([corners, corners]), 1 / depths, (64, 64))
    seen = np.full(64 * 64, -1)
    seen[pixels] = faces
    assert seen.reshape(64, 64)[12, 14] == 0
    assert seen.reshape(64, 64)[12, 46] == 1
    assert seen.reshape(64, 64)[40, 40] == -1


def test_a_large_face_before_a_small_one_hides_it() -> None:
    wall = np.array([[-9.0, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]])
    speck = np.array([[-0.2, -0.2, -1.0], [0.2, -0.2, -1], [0, 0.3, -1]])
    vertices, faces = np.concatenate([wall, speck]), np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6]])
    colours = np.array([[0.0, 0, 255]] * 4 + [[255.0, 0, 0]] * 3)
    image = painter_of(vertices, faces).draw(vertices, colours).astype(int)
    assert not (image[..., 0] > image[..., 2] + 40).any()


def test_a_face_is_lit_from_both_sides() -> None:
    vertices, faces = cube()
    colours = np.full(vertices.shape, 120.0)
    outside = painter_of(vertices, faces).draw(vertices, colours).astype(int)
    inside_out = painter_of(vertices, faces[:, ::-1]).draw(vertices, colours).astype(int)
    assert np.abs(outside - inside_out).max() <= 1


@pytest.mark.egl
def test_opengl_draws_the_same() -> None:
    from remi_stream.morph.gpu_painter import GpuPainter, open_opengl

    vertices, faces = body(0.8)
    colours = np.random.default_rng(0).uniform(0, 255, (1, 3)) + 40 * vertices
    around, camera = faces_around(faces, places(vertices)), camera_of(vertices, "y", SIZE)
    context = open_opengl()
    drawn = GpuPainter(context, faces, around, camera).draw(vertices, colours).astype(int)
    context.release()
    wanted = painter_of(vertices, faces).draw(vertices, colours).astype(int)
    assert np.abs(drawn - wanted).mean() < 1.0
    assert (np.abs(drawn - wanted).max(2) > 60).mean() < 0.01


def test_the_scale_has_round_numbers() -> None:
    assert marks(0.7154) == [0, 0.2, 0.4, 0.6]
    assert marks(100) == [0, 20, 40, 60, 80, 100]
    assert marks(0) == [0]
    assert marks(3e-9) == [0, 5e-10, 1e-9, 1.5e-9, 2e-9, 2.5e-9, 3e-9]


def test_colours_go_from_the_lightest_to_the_darkest_also_where_nothing_moves() -> None:
    assert np.array_equal(coloured(np.array([0.0, 3.0]), 3.0), ramp()[[0, -1]])
    assert np.array_equal(coloured(np.zeros(2), 0.0), ramp()[[0, 0]])
    assert np.all(np.diff(ramp().astype(int) @ (0.299, 0.587, 0.114)) <= 0.5)
    assert with_scale(np.zeros((64, 64, 3), np.uint8), 0.0, ("", "")).shape[1] > 64
