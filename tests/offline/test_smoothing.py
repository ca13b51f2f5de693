"""Smoothing of whole takes: accuracy compared with the live filter, interpolated gaps, linked tracks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from remi_stream import geometry
from remi_stream.errors import UsageError
from remi_stream.filters.smoothers import motion_from_person
from remi_stream.filters.smoothnet import smooth_sequence
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.messages import Bodies, MessageCodec, Person
from remi_stream.offline import smoothing
from remi_stream.offline.smoothing import SMOOTHING_METHODS, TakeSmoothing, smooth_take, zero_lag_one_euro
from remi_stream.recordings.take import Take
from remi_stream.tracking.track_linking import INTERPOLATED_KEY, TrackPoint, interpolate_person
from tests.clip import procrustes_mm
from tests.filters.loading import load_filter
from tests.filters.test_one_euro_tuning import acceleration_error, joints_of, lag_frames, noisy, people, truth
from tests.sample import bodies, person

FPS = 30.0


def take_of(frames: Sequence[Sequence[Person]]) -> Take:
    made = [bodies(k, k / FPS, people=list(people)) for k, people in enumerate(frames)]
    return Take("film", (640, 360), FPS, made)


def of(take: Take, track_id: int) -> list[Person | None]:
    """A person in every frame; None where missing."""
    return [next((each for each in frame.people if each.track_id == track_id), None) for frame in take.frames]


def ids(take: Take) -> set[int]:
    return {each.track_id for frame in take.frames for each in frame.people}


def at(x_px: float, track_id: int = 1, betas: float = 0.0, height_px: float = 200.0, **more: Any) -> Person:
    """An upright person at mid-height of the image, with all betas equal."""
    one = person(
        track_id, box_xyxy=np.array([x_px - 40, 180 - height_px / 2, x_px + 40, 180 + height_px / 2], np.float32), **more
    )
    assert one.smpl is not None
    transl = np.array([(x_px - 320) / 250, 0, 3], np.float32)
    smpl = msgspec.structs.replace(one.smpl, transl=transl, betas=np.full(10, betas, np.float32))
    return msgspec.structs.replace(one, smpl=smpl, joints_m=np.tile(transl, (24, 1)))


def facing(one: Person, about_x: float) -> Person:
    """The same person, rotated about x, rad."""
    assert one.smpl is not None
    turn = np.array([about_x, 0, 0], np.float32)
    return msgspec.structs.replace(one, smpl=msgspec.structs.replace(one.smpl, global_orient=turn))


def walk(x_px: float, step_px: float, frames: range, whole: int, **more: Any) -> list[list[Person]]:
    """A person who walks by step_px per frame, present in these frames only."""
    return [[at(x_px + step_px * k, **more)] if k in frames else [] for k in range(whole)]


def together(*walks: list[list[Person]]) -> Take:
    return take_of([[each for walk in moment for each in walk] for moment in zip(*walks)])


def marked(one: Person | None) -> bool:
    assert one is not None
    return INTERPOLATED_KEY in one.native


def signals(people: Sequence[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Joints of the poses, and joints_m, (F, 24, 3) m."""
    poses = [each.smpl for each in people if each.smpl]
    vectors = np.array([np.concatenate([smpl.global_orient, smpl.body_pose]) for smpl in poses], float).reshape(-1, 24, 3)
    joints = joints_of(matrices_from_axis_angle(vectors), np.array([smpl.transl for smpl in poses], float))
    return joints, np.array([each.joints_m for each in people], float)


@pytest.mark.parametrize("seed", [20, 21])
def test_smoothed_take_is_nearer_to_the_truth_and_smoother_than_the_live_filter_without_lag(seed: int) -> None:
    turns, transl, _, fps = truth()
    true = joints_of(turns, transl)
    seen = people(*noisy(seed))
    live = load_filter("one_euro")
    filtered = [live.filter(each, k / fps) for k, each in enumerate(seen)]
    offline = [frame.people[0] for frame in smooth_take(take_of([[each] for each in seen])).frames]
    for ours, theirs, noise in zip(signals(offline), signals(filtered), signals(seen)):
        pa = [np.mean([procrustes_mm(a, b) for a, b in zip(joints, true)]) for joints in (ours, theirs, noise)]
        assert pa[0] < 0.7 * pa[1] < pa[2]
        calm = [acceleration_error(joints, true) for joints in (ours, theirs)]
        assert calm[0] < 0.3 * calm[1]
        assert abs(lag_frames(ours, true)) < 0.05


def test_beginning_and_end_are_smoothed_too() -> None:
    turns, transl, _, _ = truth()
    true, off = joints_of(turns, transl), []
    for seed in range(5):
        seen = people(*noisy(seed))[:60]
        offline = [frame.people[0] for frame in smooth_take(take_of([[each] for each in seen])).frames]
        off.append(
            [
                [np.linalg.norm(joints[k] - true[k], axis=-1).mean() for k in (0, 59)]
                for joints in (signals(offline)[0], signals(seen)[0])
            ]
        )
    ours, noise = np.mean(off, axis=0)
    assert (ours < 0.9 * noise).all()


@pytest.mark.parametrize("method", SMOOTHING_METHODS)
def test_two_runs_give_the_same_bytes(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "load_smoothnet", lambda window, weights: mean)
    take = take_of([[each] if k not in (20, 21) else [] for k, each in enumerate(people(*noisy(3))[:50])])
    wire = MessageCodec(Bodies)
    first, second = (
        [[bytes(part) for part in wire.encode(frame)] for frame in smooth_take(take, TakeSmoothing(method)).frames]
        for _ in range(2)
    )
    assert first == second
    assert [frame.filter for frame in take.frames] == ["none"] * 50, "the take that came in is not touched"


def test_person_missed_for_a_moment_is_interpolated_and_marked() -> None:
    before, after = facing(at(100), 3.1), facing(at(160), -3.1)
    found = of(smooth_take(take_of([[before], [], [], [after]]), TakeSmoothing("none")), 1)
    assert [marked(each) for each in found] == [False, True, True, False]
    for share, each in zip((1 / 3, 2 / 3), found[1:3]):
        assert each is not None
        assert each.smpl is not None
        assert each.box_xyxy[0] == pytest.approx(60 + 60 * share)
        assert each.smpl.transl[0] == pytest.approx((100 - 320 + 60 * share) / 250, abs=1e-6)
        assert (each.score, each.keypoint_scores.max(), each.smpl.joint_confidence.max()) == (0, 0, 0)
        assert abs(each.smpl.global_orient[0]) > 3.1, "over half a turn, not back through 0"
        assert (each.native[INTERPOLATED_KEY].dtype, each.native[INTERPOLATED_KEY].tolist()) == (np.uint8, [1])


def test_interpolated_moment_is_smoothed_with_the_rest_and_near_the_truth() -> None:
    turns, transl, _, _ = truth()
    true, away = joints_of(turns, transl), range(100, 110)
    take = smooth_take(take_of([[each] if k not in away else [] for k, each in enumerate(people(*noisy(5)))]))
    found = of(take, 1)
    assert [k for k, each in enumerate(found) if marked(each)] == list(away)
    joints = signals([each for each in found if each])[0]
    assert np.linalg.norm(joints[100:110] - true[100:110], axis=-1).mean() < 0.06


def test_person_away_for_longer_than_a_second_is_not_interpolated() -> None:
    take = smooth_take(
        together(
            walk(100, 1, range(40), 120),
        ),
        TakeSmoothing("none"),
    )
    assert of(take, 1)[40:] == [None] * 80
    both = [[at(100)] if k < 40 or k >= 71 else [] for k in range(120)]
    assert of(smooth_take(take_of(both)), 1)[40:71] == [None] * 31


def test_track_that_goes_on_under_another_id_becomes_one_and_the_gap_is_filled() -> None:
    take = smooth_take(
        together(
            walk(100, 2, range(40), 120),
            walk(100, 2, range(55, 80), 120, track_id=7),
            walk(100, 2, range(85, 120), 120, track_id=9),
        )
    )
    assert ids(take) == {1}
    assert [k for k, each in enumerate(of(take, 1)) if marked(each)] == [*range(40, 55), *range(80, 85)]


def test_short_tracks_in_between_are_linked_too() -> None:
    parts = [
        walk(100, 0, frames, 90, track_id=k) for k, frames in enumerate((range(40), range(45, 50), range(53, 56), range(60, 90)))
    ]
    take = smooth_take(together(*parts))
    assert ids(take) == {0}
    assert None not in of(take, 0)


ELSEWHERE = {
    "elsewhere": {"x_px": 260},
    "of another shape": {"x_px": 100, "betas": 2.5},
    "of another size": {"x_px": 100, "height_px": 420.0},
}


@pytest.mark.parametrize("other", ELSEWHERE)
def test_another_person_keeps_their_id(other: str) -> None:
    parts: dict[str, Any] = {**ELSEWHERE[other]}
    one = walk(parts.pop("x_px"), 0, range(50, 120), 120, track_id=7, **parts)
    assert ids(smooth_take(together(walk(100, 0, range(40), 120), one))) == {1, 7}


def test_people_who_cross_are_not_merged() -> None:
    """Both are lost where they meet, walking in opposite directions, and reappear under new ids."""
    right = walk(100, 4, range(45), 120), walk(100, 4, range(60, 120), 120, track_id=3)
    left = walk(520, -4, range(45), 120, track_id=2), walk(520, -4, range(60, 120), 120, track_id=4)
    take = smooth_take(together(*right, *left))
    assert ids(take) == {1, 2}
    for track_id, step in ((1, 4), (2, -4)):
        middles = [float(each.box_xyxy[[0, 2]].mean()) for each in of(take, track_id) if each]
        np.testing.assert_allclose(np.diff(middles), step, atol=1e-3)
    only = smooth_take(together(right[0], left[1]))
    assert ids(only) == {1, 4}, "who left to the right did not come back to the left"


def test_ambiguous_tracks_are_not_linked() -> None:
    begun = [walk(x, 0, range(50, 120), 120, track_id=track_id) for x, track_id in ((97, 5), (104, 6))]
    assert ids(smooth_take(together(walk(100, 0, range(40), 120), *begun))) == {1, 5, 6}


def test_each_track_has_one_shape_unless_disabled() -> None:
    shapes = [0.1, 0.2, 0.9, 0.2, 0.3]
    take = take_of([[at(100, betas=each)] for each in shapes])
    for one_shape, expected in ((True, [0.2] * 5), (False, shapes)):
        found = of(smooth_take(take, TakeSmoothing("none", one_shape=one_shape)), 1)
        assert [each.smpl.betas[4] for each in found if each and each.smpl] == pytest.approx(expected)


def test_shape_is_the_median_of_detected_frames_only() -> None:
    take = take_of([[at(100, betas=0.1)], [], [], [], [], [at(100, betas=0.9)], [at(100, betas=0.9)]])
    found = of(smooth_take(take, TakeSmoothing("none")), 1)
    assert [each.smpl.betas[0] for each in found if each and each.smpl] == pytest.approx([0.9] * 7)


def test_reversed_motion_gives_the_reversed_result() -> None:
    seen = [motion_from_person(each) for each in people(*noisy(4))[:40]]
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, 40))
    for onward, backward in zip(zero_lag_one_euro(seen, times), zero_lag_one_euro(seen[::-1], -times[::-1])[::-1]):
        np.testing.assert_allclose(onward.positions, backward.positions, atol=1e-9)
        np.testing.assert_allclose(geometry.quaternion_difference(onward.rotations, backward.rotations), 0, atol=1e-6)


def test_people_with_key_points_only_are_interpolated_and_not_smoothed() -> None:
    flat = [at(100 + k, joints_m=np.zeros((0, 3), np.float32)) for k in range(9)]
    flat = [msgspec.structs.replace(each, smpl=None, joints_m=np.zeros((0, 3), np.float32)) for each in flat]
    found = of(smooth_take(take_of([[each] if k != 4 else [] for k, each in enumerate(flat)])), 1)
    assert [each.box_xyxy[0] for each in found if each] == [60 + k for k in range(9)]
    assert marked(found[4])


def test_nan_does_not_spread_to_other_frames() -> None:
    broken = msgspec.structs.replace(at(100), joints_m=np.full((24, 3), np.nan, np.float32))
    found = of(smooth_take(take_of([[at(100)]] * 5 + [[broken]] + [[at(100)]] * 5)), 1)
    assert [bool(np.isfinite(each.joints_m).all()) for each in found if each] == [True] * 5 + [False] + [True] * 5


def mean(windows: np.ndarray) -> np.ndarray:
    return np.broadcast_to(windows.mean(-1, keepdims=True), windows.shape)


def test_smoothnet_sees_every_window_and_short_tracks_stand_still_around_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "load_smoothnet", lambda window, weights: mean)
    frames = np.random.default_rng(0).normal(size=(100, 3))
    whole = smooth_sequence(mean, frames, 8)
    monkeypatch.setattr(smoothing, "CHUNK_FRAMES", 17)
    np.testing.assert_allclose(smoothing.smooth_in_chunks(mean, frames, 8), whole, atol=1e-6)
    assert smoothing.smooth_in_chunks(mean, frames[:3], 8).shape == (3, 3)
    turns, transl, _, _ = truth()
    true, seen = joints_of(turns, transl), people(*noisy(8))
    offline = [frame.people[0] for frame in smooth_take(take_of([[each] for each in seen]), TakeSmoothing("smoothnet", 8)).frames]
    assert acceleration_error(signals(offline)[0], true) < 0.4 * acceleration_error(signals(seen)[0], true)
    assert {frame.filter for frame in smooth_take(take_of([[seen[0]]]), TakeSmoothing("smoothnet", 8)).frames} == {
        "smoothnet, 8 frames"
    }


def test_positions_are_centred_for_smoothnet(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[np.ndarray] = []
    monkeypatch.setattr(smoothing, "load_smoothnet", lambda window, weights: lambda windows: given.append(windows) or windows)
    found = of(smooth_take(take_of([[at(100 + k)] for k in range(20)]), TakeSmoothing("smoothnet", 8)), 1)
    assert np.abs(given[1].mean(-1)).max() < 1e-6
    np.testing.assert_allclose(
        [each.smpl.transl[0] for each in found if each and each.smpl], [(k - 220) / 250 for k in range(20)], atol=1e-5
    )


def test_weights_from_a_file_are_run_for_their_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx import helper

    from remi_stream.inference.load import load_model
    from remi_stream.models.store import ensure_model_file
    from tests.convert.stand_ins import bring
    from tests.inference.small_networks import network

    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file = bring("smoothnet_w8", tmp_path)
    windows = np.random.default_rng(1).normal(size=(5, 1, 8)).astype(np.float32)
    expected = load_model(file, "torch", device="cpu").run({"x": windows})["y"]
    np.testing.assert_array_equal(smoothing.load_smoothnet(8, ensure_model_file(file))(windows), expected)
    (tmp_path / "own.onnx").write_bytes(network([helper.make_node("Neg", ["x"], ["y"])], {"x": (1, 8)}, {"y": (1, 8)}, {}, {}))
    np.testing.assert_array_equal(smoothing.load_smoothnet(8, tmp_path / "own.onnx")(windows), -windows)


WRONG = {
    "unknown smoothing method 'one-euro'": TakeSmoothing("one-euro"),  # type: ignore[arg-type]
    "SmoothNet has no window of 9 frames": TakeSmoothing("smoothnet", 9),
    "no such file missing.onnx": TakeSmoothing("smoothnet", 8, Path("missing.onnx")),
}


@pytest.mark.parametrize("line", WRONG)
def test_mistakes_are_one_line(line: str) -> None:
    with pytest.raises(UsageError, match=f"(?i){line}"):
        smooth_take(take_of([[at(100)]]), WRONG[line])


def test_interpolated_person_is_between_two_points() -> None:
    found = interpolate_person(TrackPoint(0, 0.0, at(0)), TrackPoint(4, 4.0, at(40)), 1.0)
    assert found.box_xyxy[0] == pytest.approx(-30)
