"""Mesh renderers: position, occlusion, and the same image from OpenGL."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.morph.cpu_renderer import SUPERSAMPLING, CpuMeshRenderer, background_image
from remi_stream.morph.drawing import MAX_FILL, fit_camera
from remi_stream.morph.heatmap import add_colour_bar, apply_colour_map, colour_map, tick_values
from remi_stream.render.rasteriser import z_buffer
from remi_stream.render.surface import merge_coincident_vertices, vertex_face_matrix
from tests.morph.meshes import body, cube

SIZE = (160, 120)


def painter_of(vertices: np.ndarray, faces: np.ndarray) -> CpuMeshRenderer:
    camera = fit_camera(vertices, "y", (SIZE[0] * SUPERSAMPLING, SIZE[1] * SUPERSAMPLING))
    return CpuMeshRenderer(faces, vertex_face_matrix(faces, merge_coincident_vertices(vertices)), camera)


def test_mesh_fills_the_image_and_stays_inside() -> None:
    vertices, faces = body()
    image = painter_of(vertices, faces).render(vertices, np.full(vertices.shape, 90.0))
    assert image.shape == (SIZE[1], SIZE[0], 3)
    y, _ = np.nonzero((np.abs(image.astype(int) - background_image(SIZE)) > 3).any(2))
    assert (y.max() - y.min()) / SIZE[1] == pytest.approx(MAX_FILL, abs=0.03)


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("back", [False, True])
def test_the_camera_sees_every_point_the_right_way_up(up: str, back: bool) -> None:
    points = np.random.default_rng(1).normal(size=(500, 3)) * (1, 4, 2) + (30, 2, -7)
    camera = fit_camera(points, up, SIZE, back)
    pixels = camera.project(points)
    assert np.all(pixels > -0.5)
    assert np.all(pixels < np.array(SIZE) - 0.5)
    higher = points.mean(0) + (np.eye(3)["xyz".index(up)])
    assert camera.project(higher)[1] < camera.project(points.mean(0))[1]
    to_the_left = points.mean(0) + (1, 0, 0)
    assert (camera.project(to_the_left)[0] > camera.project(points.mean(0))[0]) != back


def test_two_triangles_that_cross_hide_each_other_by_halves() -> None:
    corners = np.array([[10.0, 10], [50, 10], [10, 50]])
    depths = np.array([[1.0, 2, 1], [2, 1, 2]])
    pixels, faces = z_buffer(np.stack([corners, corners]), 1 / depths, (64, 64))
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
    image = painter_of(vertices, faces).render(vertices, colours).astype(int)
    assert not (image[..., 0] > image[..., 2] + 40).any()


def test_a_face_is_lit_from_both_sides() -> None:
    vertices, faces = cube()
    colours = np.full(vertices.shape, 120.0)
    outside = painter_of(vertices, faces).render(vertices, colours).astype(int)
    inside_out = painter_of(vertices, faces[:, ::-1]).render(vertices, colours).astype(int)
    assert np.abs(outside - inside_out).max() <= 1


@pytest.mark.egl
def test_opengl_draws_the_same() -> None:
    from remi_stream.morph.gpu_renderer import GpuMeshRenderer, open_opengl

    vertices, faces = body(0.8)
    colours = np.random.default_rng(0).uniform(0, 255, (1, 3)) + 40 * vertices
    around, camera = vertex_face_matrix(faces, merge_coincident_vertices(vertices)), fit_camera(vertices, "y", SIZE)
    context = open_opengl()
    drawn = GpuMeshRenderer(context, faces, around, camera).render(vertices, colours).astype(int)
    context.release()
    wanted = painter_of(vertices, faces).render(vertices, colours).astype(int)
    assert np.abs(drawn - wanted).mean() < 1.0
    assert (np.abs(drawn - wanted).max(2) > 60).mean() < 0.01


def test_the_scale_has_round_numbers() -> None:
    assert tick_values(0.7154) == [0, 0.2, 0.4, 0.6]
    assert tick_values(100) == [0, 20, 40, 60, 80, 100]
    assert tick_values(0) == [0]
    assert tick_values(3e-9) == [0, 5e-10, 1e-9, 1.5e-9, 2e-9, 2.5e-9, 3e-9]


def test_colours_go_from_the_lightest_to_the_darkest_also_where_nothing_moves() -> None:
    assert np.array_equal(apply_colour_map(np.array([0.0, 3.0]), 3.0), colour_map()[[0, -1]])
    assert np.array_equal(apply_colour_map(np.zeros(2), 0.0), colour_map()[[0, 0]])
    assert np.all(np.diff(colour_map().astype(int) @ (0.299, 0.587, 0.114)) <= 0.5)
    assert add_colour_bar(np.zeros((64, 64, 3), np.uint8), 0.0, ("", "")).shape[1] > 64
