"""The lag of a filter, measured while it runs: of movements and filters whose lag is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import msgspec
import numpy as np
import pytest

from remi_stream.messages import Person
from remi_stream.relay.filtering import LagMeter
from tests.filters.loading import load_filter
from tests.filters.test_one_euro_tuning import SEED, noisy, people, truth
from tests.sample import person

FPS = 30.0


@cache
def clip(noise: bool) -> list[Person]:
    """Five seconds of the sample clip's truth, with noise of 10 mm and 3 degrees or without."""
    turns, transl = noisy(SEED) if noise else truth()[:2]
    return people(turns[:150], transl[:150])


def at_place(x: float, track_id: int = 1) -> Person:
    return person(track_id, joints_m=np.full((24, 3), x, np.float32))


def measured(seen: Iterable[Person], smooth: Callable[[int, Person], Person], fps: float = FPS) -> float | None:
    meter = LagMeter()
    for k, each in enumerate(seen):
        meter.add(each, smooth(k, each), 50 + k / fps)
    return meter.measure()


def through(name: str, options: dict[str, float] | None = None, fps: float = FPS) -> Callable[[int, Person], Person]:
    filter_ = load_filter(name, options)
    return lambda k, each: filter_.filter(each, 50 + k / fps)


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 4, 9])
def test_moving_average_lags_by_half_its_window(noise: bool, frames: int) -> None:
    found = measured(clip(noise), through("moving_avg", {"window_s": (frames + 0.5) / FPS}))
    assert found == pytest.approx(frames / 2 / FPS, abs=0.002)


@pytest.mark.parametrize("late_s", [0.004, 0.0125, 0.05, 0.35])
def test_lag_is_measured_to_a_fraction_of_a_frame(late_s: float) -> None:
    times = np.arange(150) / FPS
    found = measured([at_place(np.sin(3 * t)) for t in times], lambda k, _: at_place(np.sin(3 * (times[k] - late_s))))
    assert found == pytest.approx(late_s, abs=0.0005)


def test_filter_that_is_ahead_has_a_negative_lag() -> None:
    times = np.arange(150) / FPS
    found = measured([at_place(np.sin(3 * t)) for t in times], lambda k, _: at_place(np.sin(3 * (times[k] + 0.02))))
    assert found == pytest.approx(-0.02, abs=0.0005)


def test_noise_hardly_changes_the_measured_lag_of_the_default_filter() -> None:
    clean, dirty = (measured(clip(noise), through("one_euro")) for noise in (False, True))
    assert clean is not None
    assert 0.0 < clean < 0.5 / FPS
    assert dirty == pytest.approx(clean, abs=0.003)


def test_lag_is_measured_on_uniform_motion_too() -> None:
    found = measured([at_place(1.2 * k / FPS) for k in range(120)], through("single_exp", {"time_s": 0.05}))
    assert found == pytest.approx(0.0353, abs=0.002)  # of a share of 1 - exp(-2/3) a frame, (1 - share) / share frames


def test_dropped_frames_do_not_matter() -> None:
    random = np.random.default_rng(5)
    meter = LagMeter()
    for t in np.arange(150) / FPS:
        if random.random() < 0.7:
            meter.add(at_place(np.sin(3 * t)), at_place(np.sin(3 * (t - 0.05))), 50 + t)
    assert meter.measure() == pytest.approx(0.05, abs=0.003)


@pytest.mark.parametrize("noise_m", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("name", ["one_euro", "moving_avg"])
def test_lag_is_unknown_for_a_person_at_rest(name: str, noise_m: float) -> None:
    random = np.random.default_rng(6)
    stood = [person(joints_m=random.normal(0, noise_m, (24, 3)).astype(np.float32)) for _ in range(150)]
    assert measured(stood, through(name)) is None


def test_lag_is_unknown_without_people_or_joints() -> None:
    without_joints = msgspec.structs.replace(person(), joints_m=np.empty((0, 3), np.float32))
    assert LagMeter().measure() is None
    assert measured([without_joints] * 100, lambda _, each: each) is None


@pytest.mark.parametrize("frames", [3, 40])
def test_lag_is_unknown_for_a_short_track(frames: int) -> None:
    assert measured(clip(False)[:frames], through("moving_avg")) is None


def test_interrupted_track_starts_anew() -> None:
    meter, filter_ = LagMeter(), load_filter("moving_avg")
    for k, each in enumerate(clip(False)[:120]):
        at = 50 + k / FPS + (2 if k > 100 else 0)
        meter.add(each, filter_.filter(each, at), at)
    assert meter.measure() is None


@pytest.mark.parametrize(("after", "expected_s"), [(10, None), (60, 0.0667)])
def test_frame_with_nan_starts_the_track_anew(after: int, expected_s: float | None) -> None:
    broken = person(joints_m=np.full((24, 3), np.nan, np.float32))
    seen = [*clip(False)[:60], broken, *clip(False)[61 : 61 + after]]
    found = measured(seen, through("moving_avg"))
    assert found == (expected_s and pytest.approx(expected_s, abs=0.002))


def test_longest_track_is_measured() -> None:
    meter = LagMeter()
    for k in range(150):
        t = k / FPS
        meter.add(at_place(np.sin(3 * t)), at_place(np.sin(3 * (t - 0.05))), 50 + t)
        if k > 100:
            meter.add(at_place(np.sin(5 * t), 2), at_place(np.sin(5 * (t - 0.2)), 2), 50 + t)
    assert meter.measure() == pytest.approx(0.05, abs=0.001)
