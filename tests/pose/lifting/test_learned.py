"""The learned lifter: its features, its network in NumPy, its memory, its file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from remi_stream.errors import RemiError
from remi_stream.geometry import matrices_from_axis_angle, sigmoid
from remi_stream.paths import data_file
from remi_stream.pose.landmarks import Roi
from remi_stream.pose.lifting import network
from remi_stream.pose.lifting.features import FEATURE_COUNT, PARTS, LifterInput, lifter_axes, lifter_features, roll
from remi_stream.pose.lifting.network import WEIGHTS_FILE, LearnedLifter, load_lifter
from remi_stream.skeletons import JOINT_NAMES

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("lifter_golden.npz")
CAMERA = (900.0, 900.0, 640.0, 360.0)
MIRROR = np.diag([-1.0, 1.0, 1.0])


def twins(skeleton: str) -> list[int]:
    names = JOINT_NAMES[skeleton]
    return [names.index(name.replace("left", "#").replace("right", "left").replace("#", "right")) for name in names]


def frame(seed: int = 3, elapsed_s: float = 0.0, is_new: bool = True) -> LifterInput:
    """A person three metres away, in any pose."""
    rng = np.random.default_rng(seed)
    world = rng.normal(0, 0.4, (33, 3))
    lifted = world + np.array([0.5, -0.2, 3.0])
    pixels = lifted[:, :2] / lifted[:, 2:] * 900 + [640, 360]
    rotations = matrices_from_axis_angle(rng.normal(0, 0.5, (24, 3)))
    visibility, presence, peaks = rng.random((3, 33))
    roi = Roi(pixels.mean(0) + [10, -5], 420.0, 0.35)
    return LifterInput(world, pixels, visibility, presence, peaks, roi, lifted, rotations, CAMERA, elapsed_s, is_new)


def mirrored(seen: LifterInput) -> LifterInput:
    """The same person in a mirror."""
    points, joints = twins("blazepose33"), twins("smpl24")
    flip = np.array([1280.0, 0.0]), np.array([-1.0, 1.0])
    return seen._replace(
        world=seen.world[points] * [-1, 1, 1],
        pixels=flip[0] + flip[1] * seen.pixels[points],
        visibility=seen.visibility[points],
        presence=seen.presence[points],
        heatmap_peaks=seen.heatmap_peaks[points],
        roi=Roi(flip[0] + flip[1] * seen.roi.center, seen.roi.size, -seen.roi.angle),
        lifted=seen.lifted[points] * [-1, 1, 1],
        rotations=MIRROR @ seen.rotations[joints] @ MIRROR,
    )


def features_by_part(seen: LifterInput) -> dict[str, np.ndarray]:
    features = lifter_features(seen, lifter_axes(seen))
    return dict(zip(PARTS, np.split(features, np.cumsum(list(PARTS.values()))[:-1])))


def test_numpy_network_answers_as_pytorch() -> None:
    stored = np.load(GOLDEN)
    lifter, memory = load_lifter(), np.zeros(load_lifter().memory_size, np.float32)
    for number, features in enumerate(stored["features"].astype(np.float32)):
        body = lifter.run(features, memory)
        memory = body.memory
        assert np.abs(body.rotations - stored["rotations"][number]).max() < 1e-3
        assert np.abs(np.log(body.spread_rad) - stored["log_spread"][number]).max() < 1e-3
        assert np.abs(body.contact - sigmoid(stored["contact"][number])).max() < 1e-3
        assert np.abs(body.betas - stored["betas"][number]).max() < 1e-2


def test_mirrored_person_has_mirrored_features() -> None:
    plain, other = features_by_part(frame()), features_by_part(mirrored(frame()))
    points = twins("blazepose33")
    for part in ("world", "lifted"):
        assert np.allclose(plain[part].reshape(33, 3)[points] * [-1, 1, 1], other[part].reshape(33, 3), atol=1e-5)
    assert np.allclose(plain["pixels"].reshape(33, 2)[points] * [-1, 1], other["pixels"].reshape(33, 2), atol=1e-5)
    for part in ("visibility", "presence", "peaks"):
        assert np.array_equal(plain[part][points], other[part])
    assert np.allclose(plain["view"] * [-1, 1, 1, 1, 1], other["view"], atol=1e-5)
    six = plain["rotations"].reshape(24, 3, 2)[twins("smpl24")] * [[1, -1], [-1, 1], [-1, 1]]
    assert np.allclose(six, other["rotations"].reshape(24, 3, 2), atol=1e-5)


def test_rolled_camera_changes_no_feature_and_turns_the_body() -> None:
    seen, angle = frame(), 1.1
    turn = roll(angle)
    center = np.array([640.0, 360.0])
    rotations = seen.rotations.copy()
    rotations[0] = turn @ rotations[0]
    rolled = seen._replace(
        world=seen.world @ turn.T,
        pixels=center + (seen.pixels - center) @ turn[:2, :2].T,
        roi=Roi(center + turn[:2, :2] @ (seen.roi.center - center), seen.roi.size, seen.roi.angle + angle),
        lifted=seen.lifted @ turn.T,
        rotations=rotations,
    )
    assert np.allclose(lifter_features(seen, lifter_axes(seen)), lifter_features(rolled, lifter_axes(rolled)), atol=1e-4)
    plain, other = load_lifter().lift(seen, None), load_lifter().lift(rolled, None)
    assert np.allclose(turn @ plain.rotations[0], other.rotations[0], atol=1e-3)
    assert np.allclose(plain.rotations[1:], other.rotations[1:], atol=1e-3)


def test_answer_is_rotations_with_a_spread() -> None:
    body = load_lifter().lift(frame(), None)
    assert np.allclose(body.rotations @ body.rotations.swapaxes(1, 2), np.eye(3), atol=1e-5)
    assert np.allclose(np.linalg.det(body.rotations), 1, atol=1e-5)
    assert body.spread_rad.shape == (24,)
    assert (body.spread_rad > 0).all()


def test_untrained_network_keeps_the_closed_form() -> None:
    with np.load(data_file(WEIGHTS_FILE)) as stored:
        weights = {name: stored[name] for name in stored.files}
    weights["correction.weight"] = np.zeros_like(weights["correction.weight"])
    weights["correction.bias"] = np.zeros_like(weights["correction.bias"])
    assert np.allclose(LearnedLifter(weights).lift(frame(), None).rotations, frame().rotations, atol=1e-5)


def test_memory_of_a_track_changes_the_answer_and_a_new_track_has_none() -> None:
    lifter = load_lifter()
    first = lifter.lift(frame(1), None)
    later = frame(2, elapsed_s=1 / 30, is_new=False)
    assert not np.allclose(lifter.lift(later, first.memory).rotations, lifter.lift(later, None).rotations, atol=1e-3)
    assert np.array_equal(lifter.lift(frame(1), None).rotations, first.rotations)


def test_long_gap_counts_as_the_longest() -> None:
    def lengths(seconds: float) -> np.ndarray:
        return features_by_part(frame(elapsed_s=seconds, is_new=False))["view"]

    assert np.array_equal(lengths(0.4), lengths(30.0))
    assert not np.array_equal(lengths(0.02), lengths(0.04))


@pytest.mark.parametrize("part", ["visibility", "heatmap_peaks"])
def test_every_score_is_seen(part: str) -> None:
    seen = frame()
    other = seen._replace(**{part: 1 - getattr(seen, part)})
    assert not np.array_equal(lifter_features(seen, lifter_axes(seen)), lifter_features(other, lifter_axes(other)))


def test_weights_are_those_of_the_documentation_and_small() -> None:
    content = data_file(WEIGHTS_FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() in (ROOT / "docs/reference/lifter.md").read_text()
    assert len(content) < 8e6
    with np.load(data_file(WEIGHTS_FILE)) as stored:
        assert stored["encoder.0.weight"].shape[1] == FEATURE_COUNT


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "a matrix short", "not finite"])
def test_damaged_weights_are_reported_in_one_line(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, data = tmp_path / "lifter.npz", bytearray(data_file(WEIGHTS_FILE).read_bytes())
    with np.load(data_file(WEIGHTS_FILE)) as stored:
        weights = dict(stored)
    if damage == "flipped":
        data[len(data) // 2] ^= 255
    if damage == "a matrix short":
        weights.pop("mixer.0.weight")
    weights["mean"] = weights["mean"] * (np.nan if damage == "not finite" else 1)
    if damage in ("a matrix short", "not finite"):
        np.savez(path, **weights)
    elif damage != "missing":
        path.write_bytes(data[: {"empty": 0, "cut": 20000}.get(damage, len(data))])
    monkeypatch.setattr(network, "data_file", lambda name: path)
    with pytest.raises(RemiError, match=r"lifter.npz is missing or damaged \(.*\). Install remi-stream again$"):
        network.load_lifter.__wrapped__()
