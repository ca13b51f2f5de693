"""Filters of people: the properties of all, and those of each."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream.errors import UsageError
from remi_stream.filters.registry import FILTERS, Filter
from remi_stream.filters.smoothers import MAX_GAP_S
from remi_stream.messages import Person
from tests.filters.loading import load_filter
from tests.sample import person

DT = 1 / 30
NAMES = [name for name in FILTERS if name != "smoothnet"]
SMOOTHING = [name for name in NAMES if name != "none"]


def someone(angle: float = 0.0, x: float = 0.0, track_id: int = 1, joints: int = 24) -> Person:
    """A person whose left elbow (joint 18) and root are turned by an angle about z, x m to the right."""
    original = person(track_id, joints=joints, skeleton="smpl24" if joints == 24 else "blazepose33")
    assert original.smpl is not None
    pose = np.zeros((23, 3), np.float32)
    pose[17, 2] = angle
    smpl = msgspec.structs.replace(
        original.smpl,
        global_orient=np.array([0, 0, angle], np.float32),
        body_pose=pose.ravel(),
        transl=np.array([x, 0, 3], np.float32),
    )
    return msgspec.structs.replace(original, smpl=smpl, joints_m=np.full((joints, 3), x, np.float32))


def run(filter_: Filter, people: Iterable[Person], dt: float = DT, start: float = 100.0) -> list[Person]:
    return [filter_.filter(each, start + k * dt) for k, each in enumerate(people)]


def angles(people: Iterable[Person]) -> np.ndarray:
    return np.array([each.smpl.global_orient[2] for each in people if each.smpl])


def places(people: Iterable[Person]) -> np.ndarray:
    return np.array([each.joints_m[0, 0] for each in people])


@pytest.mark.parametrize("name", NAMES)
def test_person_at_rest_stays_unchanged(name: str) -> None:
    for found in run(load_filter(name), [someone(0.5, 0.25)] * 20):
        assert angles([found]) == pytest.approx(0.5, abs=1e-6)
        assert places([found]) == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_first_frame_of_a_track_comes_out_as_it_is(name: str) -> None:
    first = someone(0.4)
    assert load_filter(name).filter(first, 3.0) is first


@pytest.mark.parametrize("name", SMOOTHING)
def test_noise_is_reduced_and_image_quantities_are_unchanged(name: str) -> None:
    random = np.random.default_rng(0)
    seen = [someone(*random.normal(0, 0.05, 2)) for _ in range(100)]
    found = run(load_filter(name), seen)
    for read in (angles, places):
        assert np.abs(np.diff(read(found))).mean() < 0.7 * np.abs(np.diff(read(seen))).mean()
    for before, after in zip(seen, found):
        assert after.keypoints_px is before.keypoints_px
        assert after.box_xyxy is before.box_xyxy
        assert after.smpl is not None
        assert before.smpl is not None
        assert after.smpl.joint_confidence is before.smpl.joint_confidence


@pytest.mark.parametrize("name", SMOOTHING)
def test_rotation_through_half_a_turn_takes_the_shorter_arc(name: str) -> None:
    """Rotation vectors jump there from one side to the other; rotations do not."""
    turns = np.linspace(2.6, 3.7, 40)
    seen = [someone(math.remainder(angle, 2 * math.pi)) for angle in turns]
    found = Rotation.from_rotvec([each.smpl.global_orient for each in run(load_filter(name), seen) if each.smpl])
    off = (found * Rotation.from_rotvec(np.array([[0, 0, angle] for angle in turns])).inv()).magnitude()
    assert off.max() < 0.2
    assert np.abs(found.as_rotvec()[:, :2]).max() < 1e-5


@pytest.mark.parametrize("name", SMOOTHING)
def test_result_does_not_depend_on_the_axes(name: str) -> None:
    """The same motion in rotated axes has the same result in rotated axes."""
    random = np.random.default_rng(1)
    axes = Rotation.from_rotvec([0.3, -1.1, 0.6])
    moves = [Rotation.from_rotvec(vector) for vector in np.cumsum(random.normal(0, 0.1, (30, 3)), 0)]

    def roots(turn: Rotation) -> Rotation:
        people = []
        for move in moves:
            original = someone()
            assert original.smpl is not None
            root = (turn * move).as_rotvec().astype(np.float32)
            people.append(msgspec.structs.replace(original, smpl=msgspec.structs.replace(original.smpl, global_orient=root)))
        return Rotation.from_rotvec([each.smpl.global_orient for each in run(load_filter(name), people) if each.smpl])

    straight, turned = roots(Rotation.identity()), roots(axes)
    assert (turned.inv() * axes * straight).magnitude().max() < 1e-5


@pytest.mark.parametrize("name", SMOOTHING)
@pytest.mark.parametrize("later", [MAX_GAP_S * 1.1, -0.2])
def test_gap_or_time_that_goes_back_starts_anew(name: str, later: float) -> None:
    filter_ = load_filter(name)
    run(filter_, [someone(0.0)] * 10)
    again = someone(1.0, 1.0)
    assert filter_.filter(again, 100 + 9 * DT + later) is again


@pytest.mark.parametrize("name", SMOOTHING)
def test_a_dropped_frame_does_not_start_anew(name: str) -> None:
    filter_ = load_filter(name)
    run(filter_, [someone(0.0)] * 10)
    assert 0 < angles([filter_.filter(someone(1.0), 100 + 11 * DT)])[0] < 1


@pytest.mark.parametrize("name", SMOOTHING)
def test_frame_of_the_same_time_gives_the_last_result(name: str) -> None:
    filter_ = load_filter(name)
    last = run(filter_, [someone(0.1 * k, 0.1 * k) for k in range(5)])[-1]
    again = filter_.filter(someone(3.0, 3.0), 100 + 4 * DT)
    assert (angles([again]), places([again])) == (pytest.approx(angles([last])), pytest.approx(places([last])))


@pytest.mark.parametrize("name", SMOOTHING)
def test_tracks_have_states_of_their_own(name: str) -> None:
    filter_, alone = load_filter(name), load_filter(name)
    for k in range(10):
        one = filter_.filter(someone(0.1 * k), 100 + k * DT)
        filter_.filter(someone(-1.0, 2.0, track_id=2), 100 + k * DT)
        assert angles([one]) == angles([alone.filter(someone(0.1 * k), 100 + k * DT)])


@pytest.mark.parametrize("name", SMOOTHING)
def test_forgotten_track_starts_anew(name: str) -> None:
    filter_ = load_filter(name)
    run(filter_, [someone(0.0)] * 5)
    filter_.forget(1)
    filter_.forget(7)
    again = someone(1.0)
    assert filter_.filter(again, 100 + 5 * DT) is again


@pytest.mark.parametrize("name", SMOOTHING)
def test_person_with_other_joints_starts_anew(name: str) -> None:
    filter_ = load_filter(name)
    run(filter_, [someone(0.0)] * 5)
    for k, other in enumerate([someone(1.0, joints=33), msgspec.structs.replace(someone(1.0), smpl=None)]):
        assert filter_.filter(other, 100 + (5 + k) * DT) is other


@pytest.mark.parametrize("name", SMOOTHING)
def test_person_without_smpl_has_smoothed_joints(name: str) -> None:
    found = run(load_filter(name), [msgspec.structs.replace(someone(x=0.01 * (k % 2)), smpl=None) for k in range(20)])
    assert found[-1].smpl is None
    assert np.abs(np.diff(places(found)))[5:].max() < 0.01


@pytest.mark.parametrize("name", SMOOTHING)
def test_lag_of_uniform_motion_is_at_most_the_stated_one(name: str) -> None:
    filter_ = load_filter(name)
    speed = 0.5
    found = run(filter_, [someone(speed * k * DT, speed * k * DT) for k in range(60)])
    for read in (angles, places):
        late = 59 * DT - read(found)[-1] / speed
        assert filter_.lag_s is None or 0.3 * filter_.lag_s < late <= filter_.lag_s


@pytest.mark.parametrize(
    ("name", "options"), [("single_exp", {}), ("double_exp", {}), ("one_euro", {"lead": 0.0, "beta_turn": 0.0})]
)
def test_result_hardly_depends_on_the_frame_rate(name: str, options: dict[str, float]) -> None:
    """A step, a tenth of a second later."""
    ends = []
    for rate in (30, 120):
        filter_ = load_filter(name, options)
        filter_.filter(someone(0.0), 100)
        ends.append(angles([filter_.filter(someone(0.1), 100 + (k + 1) / rate) for k in range(rate // 10)])[-1])
    assert ends[0] == pytest.approx(ends[1], rel=0.1)


@pytest.mark.parametrize("name", SMOOTHING)
def test_person_with_nan_passes_and_resets_the_track(name: str) -> None:
    filter_, broken = load_filter(name), someone(x=math.nan)
    run(filter_, [someone()] * 3)
    assert filter_.filter(broken, 100 + 3 * DT) is broken
    assert np.isfinite(places(run(filter_, [someone()] * 3, start=100 + 4 * DT))).all()


def test_single_exponential_goes_63_percent_of_a_step_in_its_time() -> None:
    filter_ = load_filter("single_exp", {"time_s": 0.1})
    found = run(filter_, [someone(0.0), *[someone(1.0, 1.0)] * 3])
    assert angles(found)[-1] == pytest.approx(1 - math.exp(-1), abs=1e-5)
    assert places(found)[-1] == pytest.approx(1 - math.exp(-1), abs=1e-5)


def test_moving_average_is_the_mean_of_its_window() -> None:
    found = run(load_filter("moving_avg", {"window_s": 4.5 * DT}), [someone(0.01 * k, 0.01 * k) for k in range(10)])
    for read in (angles, places):
        assert read(found)[-1] == pytest.approx(0.01 * np.mean([5, 6, 7, 8, 9]), abs=1e-4)


def test_double_exponential_converges_to_no_lag_behind_uniform_motion() -> None:
    found = run(load_filter("double_exp"), [someone(0.02 * k, 0.02 * k) for k in range(60)])
    assert angles(found)[-1] == pytest.approx(0.02 * 59, abs=1e-3)
    assert places(found)[-1] == pytest.approx(0.02 * 59, abs=1e-3)


def test_one_euro_follows_fast_motion_and_smooths_slow_motion() -> None:
    plain = {"lead": 0.0}
    fast = run(load_filter("one_euro", plain), [someone(0.12 * k, 0.05 * k) for k in range(25)])
    slow = run(load_filter("one_euro", plain), [someone(0.001 * k, 0.001 * k) for k in range(25)])
    for read, step in ((angles, 0.12), (places, 0.05)):
        assert (24 * step - read(fast)[-1]) / step < 1.0
        assert (24 * 0.001 - read(slow)[-1]) / 0.001 > 3.0


def test_betas_are_smoothed_most() -> None:
    seen = []
    for k in range(60):
        original = someone()
        assert original.smpl is not None
        betas = np.full(10, float(k % 2), np.float32)
        seen.append(msgspec.structs.replace(original, smpl=msgspec.structs.replace(original.smpl, betas=betas)))
    found = np.array([each.smpl.betas[0] for each in run(load_filter("one_euro"), seen) if each.smpl])
    assert np.abs(np.diff(found))[30:].max() < 0.1


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("one_eurp", {}, "Unknown filter 'one_eurp'. Did you mean 'one_euro'"),
        ("one_euro", {"beta": 1.0}, "Unknown option of filter 'one_euro': 'beta'"),
        ("one_euro", {"min_cutoff": -1.0}, "min_cutoff must be a number, 0 or more, got -1.0"),
        ("moving_avg", {"window_s": math.nan}, "window_s must be a number, 0 or more, got nan"),
        ("none", {"time_s": 1.0}, "Known: none"),
        ("smoothnet", {"window": 9}, "SmoothNet has no window of 9 frames (available: 8, 16, 32, 64)"),
    ],
)
def test_invalid_options_are_refused(name: str, options: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_filter(name, options)
    assert text in str(caught.value)
