"""SmoothNet as a filter, with known networks: identity, mean of the window, previous frame."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream import geometry
from remi_stream.filters.smoothers import BodyMotion, TrackFilter
from remi_stream.filters.smoothnet import (
    SmoothNetSmoother,
    quaternions_from_rot6d,
    rot6d_from_quaternions,
    sliding_windows,
    smooth_sequence,
)
from remi_stream.geometry import quaternions_from_matrices
from tests.filters.test_smoothers import angles, places, run, someone

WINDOW = 8


def identity(x: np.ndarray) -> np.ndarray:
    assert (x.dtype, x.shape[1:]) == (np.float32, (1, WINDOW))
    return x


def mean(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x.mean(-1, keepdims=True), x.shape)


def earlier(x: np.ndarray) -> np.ndarray:
    return np.roll(x, 1, -1)


def smoothnet(network: object) -> TrackFilter:
    return TrackFilter("smoothnet", partial(SmoothNetSmoother, run=network, window=WINDOW), None)


def test_identity_network_returns_its_input() -> None:
    seen = [someone(0.1 * k, 0.2 * k) for k in range(12)]
    found = run(smoothnet(identity), seen)
    np.testing.assert_allclose(angles(found), angles(seen), atol=1e-6)
    np.testing.assert_allclose(places(found), places(seen), atol=1e-6)


def test_newest_frame_of_the_window_is_returned() -> None:
    seen = [someone(0.1 * k, 0.2 * k) for k in range(12)]
    found = run(smoothnet(earlier), seen)
    np.testing.assert_allclose(angles(found)[1:], angles(seen)[:-1], atol=1e-6)
    np.testing.assert_allclose(places(found)[1:], places(seen)[:-1], atol=1e-6)


def test_window_starts_filled_with_the_first_frame() -> None:
    found = run(smoothnet(mean), [someone(x=0.8 * (k > 0)) for k in range(WINDOW + 2)])
    np.testing.assert_allclose(places(found), [0.1 * min(k, 8) for k in range(WINDOW + 2)], atol=1e-6)


def test_rotations_come_out_as_rotations() -> None:
    turns = Rotation.random(24, random_state=1).as_quat()
    noisy = quaternions_from_rot6d(rot6d_from_quaternions(turns) + np.random.default_rng(0).normal(0, 0.3, 144))
    np.testing.assert_allclose(np.linalg.norm(noisy, axis=1), 1)
    np.testing.assert_allclose(np.abs((quaternions_from_rot6d(rot6d_from_quaternions(turns)) * turns).sum(1)), 1)


def test_rot6d_is_the_matrix_rows_without_their_last_column() -> None:
    turn = Rotation.random(random_state=2)
    np.testing.assert_allclose(
        rot6d_from_quaternions(quaternions_from_matrices(turn.as_matrix()[None])), turn.as_matrix()[:, :2].ravel(), atol=1e-12
    )


def test_positions_are_centred_on_their_mean() -> None:
    given: list[np.ndarray] = []
    still = BodyMotion(np.empty((0, 4)), np.full((2, 3), 7.0), np.empty((0, 10)))
    smoother = SmoothNetSmoother(still, lambda x: given.append(x) or x, WINDOW)  # type: ignore[func-returns-value]
    np.testing.assert_array_equal(smoother.step(still, 0.1).positions, still.positions)
    np.testing.assert_array_equal(given[0], np.zeros((6, 1, WINDOW)))


def test_betas_are_averaged_over_the_window() -> None:
    turns = geometry.quaternions_from_rotation_vectors(np.zeros((24, 3)))
    one, other = (BodyMotion(turns, np.zeros((25, 3)), np.full((1, 10), shape)) for shape in (0.0, 1.0))
    assert SmoothNetSmoother(one, identity, WINDOW).step(other, 0.1).betas == pytest.approx(1 / WINDOW)


def test_person_passes_unfiltered_when_the_network_returns_nan() -> None:
    seen = [someone(0.1 * k, 0.2 * k) for k in range(6)]
    found = run(smoothnet(lambda x: np.full_like(x, np.nan)), seen)
    np.testing.assert_allclose(angles(found), angles(seen), atol=1e-6)
    np.testing.assert_allclose(places(found), places(seen), atol=1e-6)


def test_identity_network_returns_the_sequence() -> None:
    frames = np.random.default_rng(0).normal(size=(21, 5)).astype(np.float32)
    found = smooth_sequence(identity, frames, WINDOW)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, frames, atol=1e-6)


def test_frame_of_a_sequence_is_the_mean_of_all_its_windows() -> None:
    frames = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    found = smooth_sequence(mean, frames, WINDOW)
    means = np.array([frames[start : start + WINDOW].mean(0) for start in range(13)])
    for k in range(20):
        np.testing.assert_allclose(found[k], means[max(0, k - WINDOW + 1) : k + 1].mean(0), atol=1e-5)


def test_sequence_of_one_window_is_that_window() -> None:
    frames = np.random.default_rng(2).normal(size=(WINDOW, 2)).astype(np.float32)
    np.testing.assert_allclose(smooth_sequence(earlier, frames, WINDOW), np.roll(frames, 1, 0), atol=1e-6)


def test_sequence_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="7 frames are fewer than the window of 8"):
        smooth_sequence(identity, np.zeros((7, 2), np.float32), WINDOW)


def test_windows_are_ordered_by_their_first_frame_then_by_channel() -> None:
    frames = np.arange(20, dtype=np.float32).reshape(10, 2)
    windows = sliding_windows(frames, WINDOW)
    assert windows.shape == (6, 1, WINDOW)
    np.testing.assert_array_equal(windows[3, 0], frames[1:9, 1])
