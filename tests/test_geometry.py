from __future__ import annotations

import math

import numpy as np
import pytest

from remi_stream import geometry

RANDOM = np.random.default_rng(1)
DIRECTIONS = RANDOM.normal(size=(50, 3))


def turns(angle: float) -> np.ndarray:
    return geometry.unit_vectors(DIRECTIONS) * angle


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.5, 2.0, math.pi - 1e-3, math.pi - 1e-7])
def test_rotation_vectors_survive_conversion_to_matrices_and_back(angle: float) -> None:
    matrices = geometry.matrices_from_axis_angle(turns(angle))
    np.testing.assert_allclose(geometry.axis_angle_from_matrices(matrices), turns(angle), atol=1e-6)


def test_half_turns_come_back_as_half_turns() -> None:
    matrices = geometry.matrices_from_axis_angle(turns(math.pi))
    back = geometry.matrices_from_axis_angle(geometry.axis_angle_from_matrices(matrices))
    np.testing.assert_allclose(back, matrices, atol=1e-6)


def test_quarter_turn_about_z_takes_x_to_y() -> None:
    matrix = geometry.matrices_from_axis_angle(np.array([0, 0, math.pi / 2]))
    np.testing.assert_allclose(matrix @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_rotation_matrices_are_rotations() -> None:
    matrices = geometry.matrices_from_axis_angle(turns(2.0))
    np.testing.assert_allclose(matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)


def test_shortest_rotation_takes_one_direction_to_the_other() -> None:
    a, b = DIRECTIONS[:25], DIRECTIONS[25:]
    swings = geometry.shortest_rotation(a, b)
    np.testing.assert_allclose(np.einsum("nab,nb->na", swings, geometry.unit_vectors(a)), geometry.unit_vectors(b), atol=1e-9)
    angles = np.linalg.norm(geometry.axis_angle_from_matrices(swings), axis=1)
    np.testing.assert_allclose(angles, geometry.angle_between(a, b), atol=1e-9)


def test_shortest_rotation_to_the_opposite_direction_is_a_half_turn() -> None:
    swings = geometry.shortest_rotation(DIRECTIONS, -DIRECTIONS)
    np.testing.assert_allclose(np.einsum("nab,nb->na", swings, DIRECTIONS), -DIRECTIONS, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(swings), 1)


def test_orthonormal_axes_keep_the_first_axis_and_are_a_rotation() -> None:
    axes = geometry.orthonormal_axes(DIRECTIONS[:25], DIRECTIONS[25:])
    np.testing.assert_allclose(axes[..., 0], geometry.unit_vectors(DIRECTIONS[:25]), atol=1e-12)
    np.testing.assert_allclose(axes.swapaxes(1, 2) @ axes, np.tile(np.eye(3), (25, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(axes), 1)
    assert (np.einsum("na,na->n", axes[..., 1], DIRECTIONS[25:]) > 0).all()


def test_cross_product_equals_numpys() -> None:
    np.testing.assert_allclose(
        geometry.cross_product(DIRECTIONS[:25], DIRECTIONS[25:]), np.cross(DIRECTIONS[:25], DIRECTIONS[25:])
    )


def test_unproject_inverts_project() -> None:
    camera = geometry.default_intrinsics(1280, 720)
    points = np.column_stack([RANDOM.uniform(-1, 1, (20, 2)), RANDOM.uniform(1, 5, 20)])
    rays = geometry.unproject(geometry.project(points, camera), camera)
    np.testing.assert_allclose(rays * points[:, 2:], points[:, :2], atol=1e-12)


def test_point_ahead_projects_to_the_middle_and_right_is_right_and_down_is_down() -> None:
    camera = geometry.default_intrinsics(600, 800)
    np.testing.assert_allclose(geometry.project(np.array([0, 0, 2.0]), camera), [300, 400])
    np.testing.assert_allclose(geometry.project(np.array([1, 0.5, 2.0]), camera), [300 + 500, 400 + 250])


def test_middle_of_a_crop_is_its_centre_and_its_width_is_its_size() -> None:
    warp = geometry.image_from_crop(np.array([100.0, 50.0]), 80.0, 0.7, 256)
    places = np.array([[128, 128, 1], [0, 128, 1], [256, 128, 1]]) @ warp.T
    np.testing.assert_allclose(places[0], [100, 50])
    np.testing.assert_allclose(places[2] - places[1], [80 * math.cos(0.7), 80 * math.sin(0.7)])


def test_iou_of_boxes() -> None:
    box = np.array([0, 0, 2, 2.0])
    others = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]])
    np.testing.assert_allclose(geometry.iou(box, others), [1, 1 / 3, 0, 0], atol=1e-9)


def test_box_of_points_is_tight() -> None:
    points = RANDOM.uniform(0, 100, (30, 2))
    box = geometry.bounding_box(points)
    assert box.dtype == np.float32
    np.testing.assert_allclose(box, [*points.min(0), *points.max(0)], rtol=1e-6)
