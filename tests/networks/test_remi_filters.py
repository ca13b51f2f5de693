"""REMI's filters, each of one stream of numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from parity.remi_filters import (
    DoubleExponentialStream,
    MovingAverageStream,
    OneEuroStream,
    PacketFilter,
    SingleExponentialStream,
)

from remi_stream.filters.registry import PRESETS, STREAMS, FilterPreset
from tests.filters.loading import load_filter
from tests.filters.test_smoothers import angles, places, someone
from tests.filters.test_smoothers import run as run_filter

FPS = 30.0
SIZES = {"poses_body": 69, "poses_root": 3, "betas": 10, "trans": 3}


def packets(count: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    return [{name: random.normal(size=size) for name, size in SIZES.items()} for _ in range(count)]


def run(filter_: PacketFilter, seen: list[dict[str, np.ndarray]], dt: float = 0.04) -> list[dict[str, np.ndarray]]:
    return [filter_.step(packet, 5 + k * dt) for k, packet in enumerate(seen)]


@pytest.mark.parametrize("name", PRESETS)
def test_constant_input_stays_constant(name: str) -> None:
    one = packets(1)[0]
    for filtered in run(PacketFilter(PRESETS[name]), [one] * 12):
        for stream in STREAMS:
            np.testing.assert_allclose(filtered[stream], one[stream], rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "No Filter Active"])
def test_filtered_noise_is_smaller(name: str) -> None:
    seen = packets(200)
    filtered = run(PacketFilter(PRESETS[name]), seen)
    for stream in STREAMS:
        steps = [np.diff([packet[stream] for packet in each], axis=0) for each in (seen, filtered)]
        assert np.abs(steps[1]).mean() < np.abs(steps[0]).mean()


def test_no_filter_changes_nothing() -> None:
    seen = packets(3)
    for before, after in zip(seen, run(PacketFilter(PRESETS["No Filter Active"]), seen)):
        assert all(np.array_equal(before[stream], after[stream]) for stream in STREAMS)


def test_one_euro_has_one_speed_for_the_whole_vector() -> None:
    still_beside_fast = OneEuroStream(np.zeros(2), 0.0, min_cutoff=1.0, beta=5.0, d_cutoff=1.0)
    alone = OneEuroStream(np.zeros(1), 0.0, min_cutoff=1.0, beta=5.0, d_cutoff=1.0)
    beside = still_beside_fast.step(np.array([0.01, 1.0]), 0.1)[0]
    assert beside > 2 * alone.step(np.array([0.01]), 0.1)[0]


def test_one_euro_step_is_the_published_formula() -> None:
    dt, min_cutoff, beta, d_cutoff = 0.05, 1.5, 0.5, 0.8
    share = lambda cutoff: 2 * math.pi * cutoff * dt / (2 * math.pi * cutoff * dt + 1)  # noqa: E731
    speed = share(d_cutoff) * 2.0 / dt
    expected = 1 + share(min_cutoff + beta * speed) * 2.0
    assert OneEuroStream(np.ones(1), 7.0, min_cutoff, beta, d_cutoff).step(np.array([3.0]), 7.0 + dt) == pytest.approx(expected)


def test_one_euro_gives_the_last_vector_again_while_time_stands_still() -> None:
    filter_ = OneEuroStream(np.zeros(1), 0.0, 1.0, 0.5, 1.0)
    first = filter_.step(np.ones(1), 0.1)
    np.testing.assert_array_equal(filter_.step(np.full(1, 9.0), 0.1), first)
    np.testing.assert_array_equal(filter_.step(np.full(1, 9.0), 0.05), first)
    assert filter_.step(np.ones(1), 0.2) > first


def test_exponentials_are_their_recursions() -> None:
    single, double = SingleExponentialStream(np.zeros(1), 0, 0.25), DoubleExponentialStream(np.zeros(1), 0, 0.5, 0.25)
    assert [float(single.step(np.ones(1), k)[0]) for k in range(3)] == pytest.approx([0.25, 0.4375, 0.578125])
    assert [float(double.step(np.ones(1), k)[0]) for k in range(2)] == pytest.approx([0.5, 0.8125])


def test_double_exponential_follows_a_steady_movement_without_lag() -> None:
    double = DoubleExponentialStream(np.zeros(1), 0, 0.5, 0.5)
    assert [double.step(np.full(1, float(k)), k) for k in range(100)][-1] == pytest.approx(99)


def test_moving_average_begins_with_a_full_window() -> None:
    mean = MovingAverageStream(np.zeros(1), 0, 4)
    assert [float(mean.step(np.full(1, 4.0), k)[0]) for k in range(5)] == [1, 2, 3, 4, 4]


def test_stream_of_another_shape_starts_anew_and_the_others_go_on() -> None:
    filter_ = PacketFilter(PRESETS["Single Exp (Alpha 0.3 Smooth)"])
    first = filter_.step({"betas": np.zeros(10), "trans": np.zeros(3)}, 0.0)
    assert not first["betas"].any()
    second = filter_.step({"betas": np.ones(16), "trans": np.ones(3)}, 0.1)
    np.testing.assert_array_equal(second["betas"], np.ones(16))
    np.testing.assert_allclose(second["trans"], 0.3)


def test_stream_that_is_not_filtered_passes() -> None:
    filter_ = PacketFilter(FilterPreset("moving_avg", {"trans": {"window_size": 3}}))
    filter_.step({"betas": np.zeros(10), "trans": np.zeros(3)}, 0.0)
    second = filter_.step({"betas": np.ones(10), "trans": np.ones(3)}, 0.1)
    assert (second["betas"] == 1).all()
    np.testing.assert_allclose(second["trans"], 1 / 3)


def test_what_comes_in_is_not_changed_and_rows_keep_their_shape() -> None:
    filter_ = PacketFilter(PRESETS["OneEuro Moderate"])
    packet = {"trans": np.array([[1, 2, 3]], np.float32)}
    filter_.step(packet, 0.0)
    found = filter_.step({"trans": np.zeros((1, 3), np.float32)}, 0.1)["trans"]
    assert (found.shape, found.dtype) == ((1, 3), np.float64)
    np.testing.assert_array_equal(packet["trans"], [[1, 2, 3]])


@pytest.mark.parametrize("name", [name for name in PRESETS if not name.startswith("OneEuro")])
def test_preset_without_a_speed_filters_positions_at_30_fps_as_remi_does(name: str) -> None:
    x = np.random.default_rng(3).normal(size=60).cumsum() * 0.02
    theirs = PacketFilter(PRESETS[name])
    wanted = [theirs.step({"trans": np.array([each, 0, 0])}, 5 + k / FPS)["trans"][0] for k, each in enumerate(x)]
    found = places(run_filter(load_filter(name), [someone(x=each) for each in x]))
    skip = 10 if "Moving" in name else 0
    np.testing.assert_allclose(found[skip:], wanted[skip:], atol=3e-4)


@pytest.mark.parametrize("name", ["OneEuro Moderate", "OneEuro Smooth"])
def test_one_euro_preset_lets_a_joint_through_as_remis_does_if_nothing_else_moves(name: str) -> None:
    """Their speed is that of all 69 angles together, which is then the joint's own."""
    turns = 0.5 * np.sin(np.arange(60) / 8)
    theirs = PacketFilter(PRESETS[name])
    wanted = [theirs.step({"poses_root": np.array([0, 0, each])}, 5 + k / FPS)["poses_root"][2] for k, each in enumerate(turns)]
    found = angles(run_filter(load_filter(name), [someone(each) for each in turns]))
    np.testing.assert_allclose(found, wanted, atol=0.01)
    assert math.isclose(float(np.abs(found - turns).max()), float(np.abs(np.array(wanted) - turns).max()), rel_tol=0.05)
