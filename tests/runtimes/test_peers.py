"""The same network in two runtimes: two processes, one set of inputs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.cli.bench_network import figures_of, networked
from remi_stream.convert import artefact
from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import rotation_matrices
from remi_stream.models import arrival
from remi_stream.models.catalogue import known_file
from remi_stream.models.manifest import ModelFile
from remi_stream.runtimes.peers import Outcome, Peer, compare, sample_inputs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

FLOAT32 = Peer("openvino", {"threads": 1, "precision": "f32"})


@pytest.fixture
def smoothnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """The smallest network, imported and converted."""
    from tools.make_weights import MODELS

    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file, write = MODELS["smoothnet_w8"]
    write(tmp_path / file, 1234)
    arrival.take(tmp_path / file)
    artefact.convert(known_file("smoothnet_w8"))
    return known_file("smoothnet_w8")


def test_peers_compute_the_same_and_are_timed_as_often(smoothnet: ModelFile) -> None:
    torch, openvino = compare(smoothnet, [Peer("torch", {"threads": 1, "device": "cpu"}), FLOAT32], rounds=2, calls=3)
    assert (torch.name, openvino.name) == ("torch cpu f32, 1 thread", "openvino f32, 1 thread")
    assert len(torch.times_ms) == len(openvino.times_ms) == 6
    assert figures_of(openvino, torch)["error"]["y"] < 1e-4


def test_peer_that_cannot_start_says_why(smoothnet: ModelFile) -> None:
    artefact.place(smoothnet).unlink()
    with pytest.raises(RemiError, match="has not been converted to ONNX"):
        compare(smoothnet, [FLOAT32])


def test_pictures_show_the_samples_person() -> None:
    feeds = sample_inputs("poco_cliff")
    assert [feed["image"].shape for feed in feeds] == [(1, 224, 224, 3)] * 8
    assert feeds[0]["bbox_info"].shape == (1, 3)
    assert all(feed["image"].std() > 20 for feed in feeds)
    assert np.abs(feeds[0]["image"].astype(float) - feeds[4]["image"]).mean() > 5


def test_rotations_are_compared_in_degrees() -> None:
    turn = rotation_matrices(np.radians([[0, 0, 3.0]]))[None]
    still = Outcome("f32", np.ones(3), [{"rotations": np.eye(3)[None, None]}])
    found = figures_of(Outcome("bf16", np.full(3, 0.5), [{"rotations": turn}]), still)
    assert found["error"] == {"rotations_median_deg": pytest.approx(3.0), "rotations_max_deg": pytest.approx(3.0)}
    assert found["times_faster"] == 2.0


def test_engine_without_a_published_network_has_no_peer() -> None:
    assert networked("poco-ov").name == "poco"
    with pytest.raises(UsageError, match=r"'blazepose' has no network that PyTorch runs too.* Those that have one: alphapose"):
        networked("blazepose")
