"""The one-euro filter of whole tracks."""

from __future__ import annotations

import numpy as np
import pytest
from parity.group_smooth import smooth_rotations


def test_first_frame_and_what_rests_stay() -> None:
    rest = np.tile(np.eye(3, dtype=np.float32), (5, 24, 1, 1))
    np.testing.assert_array_equal(smooth_rotations(rest), rest)
    noisy = rest + np.random.default_rng(0).normal(0, 0.1, rest.shape).astype(np.float32)
    smoothed = smooth_rotations(noisy)
    np.testing.assert_array_equal(smoothed[0], noisy[0])
    assert smoothed.dtype == np.float32
    assert np.abs(np.diff(smoothed, axis=0)).mean() < 0.5 * np.abs(np.diff(noisy, axis=0)).mean()


def test_each_number_has_its_own_speed() -> None:
    track = np.zeros((20, 1, 3, 3))
    track[:, 0, 0, 0] = np.arange(20)
    track[1::2, 0, 1, 1] = 0.1
    alone = track.copy()
    alone[:, 0, 0, 0] = 0
    np.testing.assert_array_equal(smooth_rotations(track)[:, 0, 1, 1], smooth_rotations(alone)[:, 0, 1, 1])


def test_larger_beta_follows_more_closely() -> None:
    track = np.cumsum(np.random.default_rng(0).normal(size=(40, 2, 3, 3)), axis=0)
    off = [np.abs(smooth_rotations(track, beta=beta) - track).mean() for beta in (0.1, 0.7, 1.5)]
    assert off == sorted(off, reverse=True)


@pytest.mark.parametrize("count", [0, 1])
def test_short_tracks_are_as_they_were(count: int) -> None:
    track = np.ones((count, 24, 3, 3))
    np.testing.assert_array_equal(smooth_rotations(track), track)
