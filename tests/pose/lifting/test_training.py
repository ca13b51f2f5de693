"""The training tool of the learned lifter: its motion, its mirror, and the whole way on a handful of frames."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from remi_stream.body.smpl import load_default_body
from remi_stream.pose.lifting.features import lifter_axes, lifter_features
from remi_stream.pose.lifting.network import LearnedLifter
from tests.pose.lifting.test_learned import frame, mirrored

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

FRAMES, FPS = 60, 30.0


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    """Recorded motion: sixteen people who swing their limbs and walk."""
    rng, frames = np.random.default_rng(1), 16 * 40
    time = np.arange(frames)[:, None, None] / 10
    rotvec = 0.3 * np.sin(time + rng.uniform(0, 6, (24, 3)))
    rotvec[:, 0] = 0
    root = np.stack([0.02 * np.arange(frames), np.full(frames, 0.9), np.zeros(frames)], 1)
    path = tmp_path / "motion.npz"
    names = np.array([f"recording{number}" for number in range(16)])
    np.savez(path, names=names, lens=np.full(16, 40), rotvec=rotvec.astype(np.float32), root=root.astype(np.float32))
    return path


def test_supporting_foot_does_not_skate(motion: Path) -> None:
    from train_lifter.performance import perform
    from train_lifter.recorded import RecordedMotion

    rest = load_default_body().rest_joints(np.zeros(10))
    rng, recorded = np.random.default_rng(4), RecordedMotion(motion, is_validation=False)
    touching = 0
    for _ in range(12):
        performance = perform(rng, recorded, rest, float(rest[10, 1]) - 0.02, FRAMES, FPS, False)
        feet = performance.joints[:, [7, 8, 10, 11]]
        both = performance.contact[1:] & performance.contact[:-1]
        moved = np.linalg.norm(np.diff(feet, axis=0), axis=-1)
        touching += int(both.sum())
        assert moved[both].max(initial=0) < 0.02
        assert feet[..., 1].min() > -0.02
    assert touching > 200


def test_training_mirrors_as_a_mirror_does() -> None:
    from train_lifter.model import mirror_features

    plain, other = frame(), mirrored(frame())
    features = torch.from_numpy(lifter_features(plain, lifter_axes(plain)))
    assert np.allclose(mirror_features(features).numpy(), lifter_features(other, lifter_axes(other)), atol=1e-5)


def test_joints_by_levels_are_those_of_the_body() -> None:
    from train_lifter.model import joints_of
    from train_lifter.rotations import pose_sequence

    rest = load_default_body().rest_joints(np.zeros(10))
    rotations = np.stack([frame(seed).rotations for seed in range(3)])
    found = joints_of(torch.tensor(rotations), torch.tensor(rest))
    assert np.allclose(found.numpy(), pose_sequence(rotations, rest)[1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.egl
def test_a_lifter_is_trained_from_a_handful_of_frames(motion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from train_lifter import simulation
    from train_lifter.dataset import load_datasets, make_dataset
    from train_lifter.generate import generate
    from train_lifter.training import Recipe, evaluate_closed_form, golden, train

    monkeypatch.setattr(simulation, "STEPS", 30)
    monkeypatch.setattr(simulation, "SEQUENCES_PER_FILE", 4)
    body, rendered, simulated = load_default_body(), tmp_path / "rendered", tmp_path / "simulated"
    assert generate(3, motion, rendered, False, max_frames=150, max_s=60) >= 100
    assert simulation.simulate(4, motion, [rendered], simulated, body, 120) == 120
    assert make_dataset(rendered, tmp_path / "f", body) > 50
    assert make_dataset(simulated, tmp_path / "g", body) > 50
    data, weights = load_datasets([tmp_path / "f", tmp_path / "g"]), tmp_path / "lifter.npz"
    recipe = Recipe(minutes=1.0, epochs=25, batch=4, dropout=0.0, noise=0.0)
    scores = train(data, data, body, recipe, None, weights)
    assert scores.mpjpe < 0.9 * evaluate_closed_form(data, body).mpjpe
    stored = golden(weights)
    lifter = LearnedLifter(dict(np.load(weights)))
    answer = lifter.run(stored["features"][0].astype(np.float32), np.zeros(lifter.memory_size, np.float32))
    assert np.abs(answer.rotations - stored["rotations"][0]).max() < 1e-3
