"""Landmarks lifted from pixels and depths."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.body.ik.solver import BONE_ENDS, BONE_STARTS, body_landmarks, bone_lengths, lift_landmarks
from remi_stream.body.smpl import forward_kinematics, load_default_body
from remi_stream.geometry import default_intrinsics, matrices_from_axis_angle, project, shortest_rotation

CAMERA = default_intrinsics(1280, 720)
REST = load_default_body().rest_joints(np.zeros(10))
LENGTHS = bone_lengths(REST)
SURE = np.ones(33)
AT = np.array([0.9, 0.2, 4.0])


def posed_person() -> np.ndarray:
    """Landmarks (33, 3), m, camera frame, of a person who raises an arm and a knee."""
    turns = np.zeros((24, 3))
    turns[0], turns[17], turns[2], turns[5] = (np.pi, 0, 0), (0, 0, 0.9), (-0.8, 0, 0), (1.0, 0, 0)
    return body_landmarks(*forward_kinematics(REST, matrices_from_axis_angle(turns), AT))


def as_networks_see(points: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """In the axes of a camera that points at the person, from the hips' middle, with wrong depths and size."""
    straight = points @ shortest_rotation(np.array([0, 0, 1.0]), points[[11, 12, 23, 24]].mean(0))
    depths = np.random.default_rng(2).normal(0, noise, len(points))
    return 0.8 * (straight - straight[[23, 24]].mean(0) + depths[:, None] * [0, 0, 1.0])


def test_lifted_landmarks_project_to_their_pixels() -> None:
    true = posed_person()
    pixels = project(true, CAMERA)
    lifted = lift_landmarks(as_networks_see(true, 0.06), pixels, SURE, CAMERA, LENGTHS)
    np.testing.assert_allclose(project(lifted, CAMERA), pixels, atol=1e-6)


def test_true_depths_are_kept_and_the_person_stands_where_it_stands() -> None:
    true = posed_person()
    lifted = lift_landmarks(as_networks_see(true), project(true, CAMERA), SURE, CAMERA, LENGTHS)
    away = np.linalg.norm(lifted - true, axis=1)
    assert away.max() < 0.12
    assert np.linalg.norm((lifted - lifted.mean(0)) - (true - true.mean(0)), axis=1).max() < 0.03


@pytest.mark.parametrize("tip", [15, 16, 27, 28])
def test_bone_that_the_network_stretched_gets_its_length_back(tip: int) -> None:
    true = posed_person()
    world = as_networks_see(true)
    bone = int(np.flatnonzero(tip == BONE_ENDS)[0])
    world[tip, 2] += 0.3
    lifted = lift_landmarks(world, project(true, CAMERA), SURE, CAMERA, LENGTHS)
    before, after = (float(np.linalg.norm(points[tip] - points[BONE_STARTS[bone]])) for points in (world / 0.8, lifted))
    assert abs(before - LENGTHS[bone]) > 0.08
    assert abs(after - LENGTHS[bone]) < 0.06


def test_invisible_landmark_does_not_move_the_person() -> None:
    true, weights = posed_person(), SURE.copy()
    pixels = project(true, CAMERA)
    weights[15] = 0
    moved = pixels + np.eye(33)[15][:, None] * [150.0, -90.0]
    still, disturbed = (lift_landmarks(as_networks_see(true), seen, weights, CAMERA, LENGTHS) for seen in (pixels, moved))
    legs = [23, 24, 25, 26, 27, 28]
    assert np.linalg.norm(still[legs] - disturbed[legs], axis=1).max() < 0.1
