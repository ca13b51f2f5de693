"""The default filter as the relay uses it, on the sample clip's truth with noise: how much it smooths, and how late it is."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest

from remi_stream.body.smpl import load_default_body
from remi_stream.config import CameraConfig, Config
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.messages import Bodies, Person
from remi_stream.paths import data_file
from remi_stream.relay.stage import RelayStage
from tests.sample import bodies, person

NOISE_M, NOISE_DEG = 0.010, 3.0
LEAST_CUT, LONGEST_FRAMES = 0.60, 0.5
SEED = 20


@cache
def truth() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Rotations (F, 24, 3, 3), transl (F, 3) m, betas (10,), frames a second."""
    with np.load(data_file("sample_truth.npz")) as stored:
        poses = stored["poses"].reshape(-1, 24, 3).astype(float)
        return matrices_from_axis_angle(poses), stored["transl"].astype(float), stored["betas"], float(stored["fps"])


def noisy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and transl with noise: 3 degrees about each axis of each joint, 10 mm in each direction."""
    random = np.random.default_rng(seed)
    turns, transl, _, _ = truth()
    vectors = random.normal(0, np.radians(NOISE_DEG), (*turns.shape[:2], 3))
    return turns @ matrices_from_axis_angle(vectors), transl + random.normal(0, NOISE_M, transl.shape)


def joints_of(turns: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """(F, 24, 3) m."""
    vectors, betas = axis_angle_from_matrices(turns), truth()[2]
    return np.array([load_default_body().joints(v[0], v[1:].ravel(), betas, t) for v, t in zip(vectors, transl)])


def people(turns: np.ndarray, transl: np.ndarray) -> list[Person]:
    """As an engine would publish them."""
    made = []
    for vectors, t, joints in zip(axis_angle_from_matrices(turns).astype(np.float32), transl, joints_of(turns, transl)):
        original = person(joints_m=joints.astype(np.float32))
        assert original.smpl is not None
        smpl = msgspec.structs.replace(
            original.smpl, global_orient=vectors[0], body_pose=vectors[1:].ravel(), transl=t.astype(np.float32), betas=truth()[2]
        )
        made.append(msgspec.structs.replace(original, smpl=smpl))
    return made


def through_the_relay(seen: list[Person]) -> list[Person]:
    """The people as they are published, with the configuration's own filter."""
    relay = RelayStage(Config(cameras=(CameraConfig(name="front", source="synthetic:"),)))
    relay.open()
    found: list[Person] = []
    for k, each in enumerate(seen):
        [published] = relay.step(bodies(k, 50 + k / truth()[3], people=[each]))
        assert isinstance(published, Bodies)
        assert published.filter == "one_euro"
        found += published.people
    return found


@cache
def signals(filtered: bool, seed: int = SEED) -> dict[str, np.ndarray]:
    """What is compared, (F, N, 3) each."""
    turns, transl = noisy(seed)
    if filtered:
        found = through_the_relay(people(turns, transl))
        poses = [each.smpl for each in found if each.smpl]
        vectors = np.array([np.concatenate([smpl.global_orient, smpl.body_pose]) for smpl in poses], float)
        turns, transl = matrices_from_axis_angle(vectors.reshape(-1, 24, 3)), np.array([smpl.transl for smpl in poses], float)
        published = np.array([each.joints_m for each in found], float)
    else:
        published = joints_of(turns, transl)
    return parts(turns, transl, published)


@cache
def true_signals() -> dict[str, np.ndarray]:
    turns, transl, _, _ = truth()
    return parts(turns, transl, joints_of(turns, transl))


def parts(turns: np.ndarray, transl: np.ndarray, published: np.ndarray) -> dict[str, np.ndarray]:
    """rotations: columns of the matrices; joints of the pose, and about the root; joints_m as they are published."""
    joints = joints_of(turns, transl)
    return {
        "transl": transl[:, None],
        "rotations": np.swapaxes(turns, -1, -2).reshape(len(turns), -1, 3),
        "joints": joints,
        "joints about the root": joints - joints[:, :1],
        "joints_m": published,
    }


def acceleration_error(signal: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(signal - true, 2, axis=0), axis=-1).mean())


def lag_frames(signal: np.ndarray, true: np.ndarray) -> float:
    """Peak of the cross-correlation of both, frames, by a parabola through the three highest values."""
    a, b = (x.reshape(len(x), -1) - x.reshape(len(x), -1).mean(0) for x in (signal, true))
    count, shifts = len(a), range(-4, 5)
    pairs = [(a[max(0, s) : count + min(0, s)], b[max(0, -s) : count - max(0, s)]) for s in shifts]
    heights = [float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())) for x, y in pairs]
    peak = int(np.argmax(heights))
    before, top, after = heights[peak - 1 : peak + 2]
    return shifts[peak] + 0.5 * (before - after) / (before - 2 * top + after)


def test_lag_is_measured_in_frames() -> None:
    true = true_signals()["joints"]
    assert lag_frames(true[:-2], true[2:]) == pytest.approx(2, abs=0.02)
    assert lag_frames((true[:-1] + true[1:]) / 2, true[1:]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("part", ["transl", "rotations", "joints", "joints about the root", "joints_m"])
def test_default_filter_removes_60_percent_of_the_error_with_half_a_frame_of_lag(part: str) -> None:
    true, before, after = true_signals()[part], signals(False)[part], signals(True)[part]
    cut = 1 - acceleration_error(after, true) / acceleration_error(before, true)
    assert cut >= LEAST_CUT
    assert lag_frames(after, true) <= LONGEST_FRAMES


@pytest.mark.parametrize("part", ["transl", "rotations", "joints", "joints_m"])
def test_filtered_motion_is_closer_to_the_truth(part: str) -> None:
    true = true_signals()[part]
    off = [np.linalg.norm(signals(filtered)[part] - true, axis=-1).mean() for filtered in (False, True)]
    assert off[1] < 0.8 * off[0]
