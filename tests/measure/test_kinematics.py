from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.measure.kinematics import acceleration_errors_mm, angles_deg, centre_on_root, distances_mm, procrustes_align
from tests.clip import procrustes_mm

seeds = st.integers(0, 2**32 - 1)


def poses(seed: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, (count, 24, 3))


@given(seeds)
def test_truth_is_no_distance_from_itself(seed: int) -> None:
    joints = poses(seed)
    assert distances_mm(joints, joints).max() == 0
    assert distances_mm(procrustes_align(joints, joints), joints).max() < 1e-9


def test_distances_are_millimetres_from_the_root() -> None:
    joints, truth = np.zeros((1, 3, 3)), np.array([[[1.0, 1, 1], [1.0, 1, 1.1], [1.03, 0.96, 1]]])
    errors = distances_mm(centre_on_root(joints, joints[:, 0]), centre_on_root(truth, truth[:, 0]))
    assert np.allclose(errors, [[0, 100, 50]])


@given(seeds, st.floats(0.1, 10))
def test_procrustes_forgives_turns_moves_and_scales(seed: int, scale: float) -> None:
    joints, rng = poses(seed), np.random.default_rng(seed)
    turn = matrices_from_axis_angle(rng.normal(0, 2, (3, 1, 3)))
    other = scale * (turn @ joints[..., None])[..., 0] + rng.normal(0, 3, (3, 1, 3))
    assert np.allclose(procrustes_align(other, joints), joints, atol=1e-9)
    assert distances_mm(other, joints).max() > 1


@given(seeds)
def test_procrustes_is_the_same_for_each_frame_alone_and_never_worse_than_the_middle(seed: int) -> None:
    joints, truth = poses(seed), poses(seed + 1)
    errors = distances_mm(procrustes_align(joints, truth), truth)
    for own, wanted, got in zip(joints, truth, errors):
        assert np.allclose(procrustes_mm(own, wanted), got)
    middle = centre_on_root(joints, joints.mean(1)), centre_on_root(truth, truth.mean(1))
    assert ((errors**2).sum(1) <= (distances_mm(*middle) ** 2).sum(1) + 1e-6).all()


def test_procrustes_does_not_mirror() -> None:
    joints = poses(0)
    assert distances_mm(procrustes_align(joints * (-1, 1, 1), joints), joints).mean() > 50


def test_procrustes_of_joints_in_one_point_is_finite() -> None:
    assert np.isfinite(procrustes_align(np.zeros((1, 24, 3)), poses(0, 1))).all()


@given(seeds)
def test_steady_motion_has_no_acceleration(seed: int) -> None:
    start, way = poses(seed, 2)
    steady = start + way * np.arange(5)[:, None, None]
    assert acceleration_errors_mm(steady, np.zeros_like(steady), np.arange(5), 1).max() < 1e-9


def test_known_acceleration_is_measured_only_where_three_frames_are_a_step_apart() -> None:
    frames = np.array([0, 2, 4, 7, 10, 12, 14])
    fallen = 0.001 * (frames[:, None, None] / 2) ** 2 * np.array([0, 1.0, 0])
    errors = acceleration_errors_mm(fallen, np.zeros_like(fallen), frames, 2)
    assert np.allclose(errors, np.full((2, 1), 2.0))  # of 0.001 n^2 the second difference is 0.002
    assert acceleration_errors_mm(fallen, np.zeros_like(fallen), frames, 1).shape == (0, 1)


@pytest.mark.parametrize("angle", [0.0, 0.5, 3.0])
def test_angles_are_those_between_rotations(angle: float) -> None:
    axes = np.random.default_rng(0).normal(0, 1, (24, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    truth = matrices_from_axis_angle(np.random.default_rng(1).normal(0, 1, (24, 3)))
    assert np.allclose(angles_deg(truth @ matrices_from_axis_angle(angle * axes), truth), np.degrees(angle), atol=1e-5)
