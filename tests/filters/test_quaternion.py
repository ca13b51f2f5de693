"""Quaternions agree with rotation matrices."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from remi_stream import geometry
from remi_stream.geometry import matrices_from_axis_angle, quaternions_from_matrices

RANDOM = np.random.default_rng(3)
A, B = (Rotation.random(200, random_state=seed) for seed in (1, 2))


def same(one: np.ndarray, other: np.ndarray) -> None:
    """A rotation has two quaternions."""
    np.testing.assert_allclose(np.abs((one * other).sum(-1)), 1, atol=1e-12)


def test_vectors_become_quaternions_in_the_order_of_geometry() -> None:
    vectors = np.concatenate([RANDOM.normal(0, 1.2, (100, 3)), np.zeros((1, 3)), RANDOM.normal(0, 1e-8, (10, 3))])
    same(geometry.quaternions_from_rotation_vectors(vectors), quaternions_from_matrices(matrices_from_axis_angle(vectors)))


def test_vectors_come_back_at_most_half_a_turn_long() -> None:
    vectors = A.as_rotvec()
    np.testing.assert_allclose(
        geometry.rotation_vectors_from_quaternions(geometry.quaternions_from_rotation_vectors(vectors)), vectors, atol=1e-12
    )
    np.testing.assert_allclose(geometry.rotation_vectors_from_quaternions(-A.as_quat()), vectors, atol=1e-12)
    np.testing.assert_array_equal(geometry.rotation_vectors_from_quaternions(np.array([[0, 0, 0, 1.0]])), np.zeros((1, 3)))


def test_product_is_that_of_the_rotations() -> None:
    same(geometry.quaternion_product(A.as_quat(), B.as_quat()), (A * B).as_quat())


def test_rotating_by_the_difference_is_the_other_quaternion() -> None:
    vectors = geometry.quaternion_difference(A.as_quat(), B.as_quat())
    assert np.linalg.norm(vectors, axis=1).max() <= np.pi
    same(geometry.rotate_quaternions(A.as_quat(), vectors), B.as_quat())
    np.testing.assert_allclose(vectors, (A.inv() * B).as_rotvec(), atol=1e-9)


def test_mean_is_the_chordal_one_whichever_sign_the_quaternions_have() -> None:
    near = A[:1] * Rotation.from_rotvec(RANDOM.normal(0, 0.1, (6, 3)))
    stack = near.as_quat()[:, None] * np.sign(RANDOM.normal(size=(6, 1, 1)))
    apart = (Rotation.from_quat(geometry.mean_quaternions(stack)[0]).inv() * near.mean()).magnitude()
    assert apart < 1e-3


def test_slerp_goes_from_one_to_the_other_at_constant_angular_speed() -> None:
    angles = (A.inv() * B).magnitude()
    for share in (0.0, 0.25, 1.0):
        between = Rotation.from_quat(geometry.slerp(A.as_quat(), -B.as_quat(), share))
        np.testing.assert_allclose((A.inv() * between).magnitude(), share * angles, atol=1e-9)
        np.testing.assert_allclose((between.inv() * B).magnitude(), (1 - share) * angles, atol=1e-7)


def test_slerp_has_a_share_for_each_rotation() -> None:
    shares = RANDOM.uniform(size=(200, 1))
    found = geometry.slerp(A.as_quat(), B.as_quat(), shares)
    one_by_one = [geometry.slerp(a[None], b[None], float(share))[0] for a, b, (share,) in zip(A.as_quat(), B.as_quat(), shares)]
    np.testing.assert_allclose(found, one_by_one, atol=1e-12)
