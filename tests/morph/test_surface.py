"""Area, volume, normals and texture sampling on known shapes."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.morph.mesh import Texture, TriangleMesh
from remi_stream.morph.pair import sample_bilinear, texture_difference, vertex_uv
from remi_stream.render import surface
from tests.morph.meshes import body, cube


def test_a_cube_has_its_area_and_its_volume_wherever_it_stands() -> None:
    vertices, faces = cube(2.0)
    assert surface.surface_area(vertices, faces) == pytest.approx(24)
    assert surface.enclosed_volume(vertices, faces) == pytest.approx(8)
    assert surface.enclosed_volume(vertices + (7, -3, 100), faces) == pytest.approx(8)


def test_a_surface_with_a_hole_or_a_turned_face_has_no_volume() -> None:
    vertices, faces = cube()
    turned = faces.copy()
    turned[0] = turned[0, ::-1]
    assert surface.enclosed_volume(vertices, faces[1:]) is None
    assert surface.enclosed_volume(vertices, turned) is None


def test_a_cube_whose_faces_have_corners_of_their_own_is_closed_and_smooth() -> None:
    vertices, faces = cube()
    parted, own = vertices[faces.reshape(-1)], np.arange(36).reshape(12, 3)
    assert surface.enclosed_volume(parted, own) == pytest.approx(1)
    whole = surface.vertex_normals(vertices, faces, surface.vertex_face_matrix(faces, np.arange(8)))
    same = surface.vertex_normals(parted, own, surface.vertex_face_matrix(own, surface.merge_coincident_vertices(parted, parted)))
    assert np.allclose(same, whole[faces.reshape(-1)])


def test_normals_point_outwards_and_have_length_one() -> None:
    vertices, faces = body()
    normals = surface.vertex_normals(
        vertices, faces, surface.vertex_face_matrix(faces, surface.merge_coincident_vertices(vertices, vertices))
    )
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    out = surface.surface_area(vertices + 0.001 * normals, faces)
    assert out > surface.surface_area(vertices, faces)


def test_lengths_of_a_micrometre_make_normals_too() -> None:
    vertices, faces = cube(1e-6)
    normals = surface.vertex_normals(vertices, faces, surface.vertex_face_matrix(faces, np.arange(8)))
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)


def test_a_colour_is_read_where_it_is_in_the_texture() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[0, 3], image[1, 0] = (10, 20, 30), (200, 100, 0)
    uv = np.array([[1.0, 1.0], [0.875, 0.75], [0.125, 0.25], [1.125, -0.75], [0.25, 0.25]])
    assert sample_bilinear(image, uv).tolist() == [[10, 20, 30], [10, 20, 30], [200, 100, 0], [200, 100, 0], [100, 50, 0]]


def test_more_vertices_than_opencv_allows_columns_are_sampled() -> None:
    assert sample_bilinear(np.full((2, 2, 3), 7, np.uint8), np.full((40_000, 2), 0.5)).min() == 7


def test_textures_differ_by_the_mean_over_their_channels_and_are_resized_to_one_size() -> None:
    faces, uv = np.zeros((1, 3), int), np.zeros((1, 2))
    black, grey = np.zeros((8, 4, 3), np.uint8), np.full((4, 2, 3), (30, 60, 90), np.uint8)
    found = texture_difference(Texture(black, uv, faces), Texture(grey, uv, faces))
    assert found.shape == (8, 4)
    assert np.all(found == 60)


def test_a_vertex_on_a_seam_takes_the_first_of_its_corners() -> None:
    mesh = TriangleMesh("", np.zeros((5, 3)), np.array([[0, 1, 2], [2, 1, 4]]))
    uv = np.arange(12.0).reshape(6, 2)
    index, places = vertex_uv(mesh, Texture(np.zeros((2, 2, 3), np.uint8), uv, np.array([[0, 1, 2], [5, 4, 3]])))
    assert index.tolist() == [0, 1, 2, 4]
    assert places.tolist() == uv[[0, 1, 2, 3]].tolist()
