"""`remi-stream lift`: the real command with a small stand-in for the network, with a receptive field of 27 frames."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from remi_stream.cli.lift import lift, unique_file_stems
from remi_stream.errors import RemiError, UsageError
from remi_stream.models import importer
from remi_stream.pose.videopose3d import lift_clip, normalise_keypoints
from remi_stream.skeletons import JOINT_NAMES

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

FIELD = 27
APP = typer.Typer()
APP.command()(lift)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def network(causal: bool) -> Any:
    from parity.recipe import make_state

    from remi_stream.networks.videopose3d import VideoPose3d

    module = VideoPose3d((3, 3, 3), 16, causal)
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    state = make_state(shapes, 5, 1.4)
    module.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in state.items()})
    return module.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the stand-ins of both networks, which have the same tensors, in the published container."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMI_HOME", str(home))
        for name, causal in (("videopose3d", False), ("videopose3d_causal", True)):
            parts: dict[str, Any] = {"epoch": 80, "lr": 0.1, "random_state": None, "optimizer": {}, "model_traj": None}
            torch.save({**parts, "model_pos": network(causal).state_dict(), "random_state_semi": None}, home / f"{name}.bin")
            importer.import_file(home / f"{name}.bin", name)
    return home


@pytest.fixture
def here(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the store."""
    monkeypatch.setenv("REMI_HOME", str(store))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(APP, [*words, "--threads", "1"], standalone_mode=False)


def points(frames: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 480, (frames, 17, 2)).astype(np.float32)


def data_set(path: Path, **videos: np.ndarray) -> str:
    positions = {f"{name}.mp4": {"custom": [keypoints]} for name, keypoints in videos.items()}
    metadata = {"layout_name": "coco", "video_metadata": {name: {"w": 640, "h": 480} for name in positions}}
    np.savez(path, positions_2d=np.array(positions, dtype=object), metadata=np.array(metadata, dtype=object))
    return str(path)


def expected(keypoints: np.ndarray, causal: bool, flip: bool) -> np.ndarray:
    module = network(causal)
    clip = normalise_keypoints(keypoints, (640, 480))
    return lift_clip(
        lambda clips: module(torch.from_numpy(clips))[0].numpy(), clip, is_causal=causal, receptive_field=FIELD, flip=flip
    )


@pytest.mark.parametrize("options", [(), ("--causal",), ("--no-flip",)])
def test_every_video_is_lifted_as_published(here: Path, options: tuple[str, ...]) -> None:
    file = data_set(here / "x.npz", one=points(), two=points(3, 1))
    result = run(file, "--out", "out", "--runtime", "torch", *options)
    assert result.return_value == 0, result.exception
    for name, keypoints in (("one", points()), ("two", points(3, 1))):
        plain = np.load(here / "out" / f"{name}.npy", allow_pickle=False)
        assert plain.dtype == np.float32
        np.testing.assert_allclose(plain, expected(keypoints, "--causal" in options, "--no-flip" not in options), atol=2e-5)
        with np.load(here / "out" / f"{name}.npz", allow_pickle=False) as named:
            np.testing.assert_array_equal(named["joints_m"], plain)
            assert named["joint_names"].tolist() == list(JOINT_NAMES["h36m17"])
            assert str(named["source"]) == f"{name}.mp4"
            assert ("mirrored" in str(named["network"])) == ("--no-flip" not in options)
    assert "for non-commercial use only" in result.stdout
    assert "two.mp4: 3 frames in" in result.stdout


def test_openvino_with_windows_of_fixed_length_equals_pytorch(here: Path) -> None:
    file = data_set(here / "x.npz", one=points(300))
    result = run(file, "--out", "out")
    assert result.return_value == 0, result.exception
    np.testing.assert_allclose(np.load(here / "out" / "one.npy"), expected(points(300), False, True), atol=1e-4)
    assert "openvino f32, 1 thread" in result.stdout


def test_clip_longer_than_a_chunk_has_no_seams(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remi_stream.cli.lift.MAX_TORCH_FRAMES", 250)
    file = data_set(here / "x.npz", one=points(700))
    assert run(file, "--out", "out", "--runtime", "torch").return_value == 0
    np.testing.assert_allclose(np.load(here / "out" / "one.npy"), expected(points(700), False, True), atol=2e-5)


def results(path: Path, joints: int = 26) -> str:
    """AlphaPose's results of every second frame."""
    whole = np.concatenate([points(), np.zeros((40, joints - 17, 2), np.float32)], 1)
    path.write_text(
        json.dumps(
            [
                {"image_id": f"{k}.jpg", "keypoints": np.insert(whole[k], 2, 0.9, axis=1).ravel().tolist(), "score": 2.0}
                for k in range(0, 40, 2)
            ]
        )
    )
    return str(path)


def test_alphapose_needs_the_size_and_fills_frames(here: Path) -> None:
    file = results(here / "alphapose-results.json")
    result = run(file, "--out", "out", "--runtime", "torch")
    assert isinstance(result.exception, UsageError)
    assert "does not contain the image size of alphapose-results. Give it: --size 1920x1080" in str(result.exception)
    assert run(file, "--out", "out", "--runtime", "torch", "--size", "640x480").return_value == 0
    filled = points()[:39].copy()
    filled[1::2] = (points()[0:38:2] + points()[2:40:2]) / 2
    np.testing.assert_allclose(np.load(here / "out" / "alphapose-results.npy"), expected(filled, False, True), atol=2e-5)


def test_recorded_track_has_its_size_from_the_recording(here: Path) -> None:
    arrays: dict[str, Any] = {
        "keypoints_px": points(),
        "skeleton": np.array("coco17"),
        "epochs": np.ones(40),
        "frame_ids": np.arange(40),
    }
    np.savez(here / "track-000001.npz", **arrays)
    epoch = {"epoch": 1, "engine": "x", "size": [640, 480], "intrinsics": [1, 1, 1, 1], "frames": 40, "frame_ids": [0, 39]}
    facts = {"version": "1", "camera": "a", "source": "b", "fps": 30, "camera_from_world": None, "started_at": "", "ended_at": ""}
    counts = {"wall_minus_monotonic_s": 0, "clean": True, "reason": "", "frames": 40, "missing": {}, "tracks": [], "gaps": []}
    (here / "index.json").write_text(json.dumps({**facts, **counts, "epochs": [epoch], "preview": None}))
    assert run("track-000001.npz", "--out", "out", "--runtime", "torch").return_value == 0
    np.testing.assert_allclose(np.load(here / "out" / "track-000001.npy"), expected(points(), False, True), atol=2e-5)


def test_existing_output_is_kept_without_overwrite(here: Path) -> None:
    file = data_set(here / "x.npz", one=points())
    (here / "out").mkdir()
    (here / "out" / "one.npz").write_bytes(b"precious")
    result = run(file, "--out", "out", "--runtime", "torch")
    assert isinstance(result.exception, UsageError)
    assert "one.npz already exists. Give --overwrite" in str(result.exception)
    assert [path.name for path in (here / "out").iterdir()] == ["one.npz"]
    assert run(file, "--out", "out", "--runtime", "torch", "--overwrite").return_value == 0
    assert (here / "out" / "one.npz").read_bytes() != b"precious"


def test_missing_weights_are_reported_with_their_source(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(here / "empty"))
    result = run(data_set(here / "x.npz", one=points()), "--out", "out")
    assert isinstance(result.exception, RemiError)
    assert "Get it from https://github.com/" in str(result.exception)
    assert "remi-stream models import" in str(result.exception)
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x.txt",), "ends in '.txt'; supported: .npz and .json"),
        (("no.npz",), "no.npz cannot be read: No such file"),
        (("no.json",), "no.json cannot be used"),
        (("x.npz", "--size", "640"), "--size '640' is not a size; allowed: WIDTHxHEIGHT"),
        (("x.npz", "--size", "0x480"), "--size '0x480' is not a size"),
        (("x.npz", "--runtime", "tensorrt"), "Unknown runtime 'tensorrt'.*openvino, torch"),
    ],
)
def test_mistakes_are_reported_in_one_line(here: Path, words: tuple[str, ...], message: str) -> None:
    data_set(here / "x.npz", one=points())
    result = run(*words, "--out", "out")
    assert isinstance(result.exception, UsageError)
    with pytest.raises(UsageError, match=message):
        raise result.exception
    assert "\n" not in str(result.exception)


def test_out_that_is_a_file_is_reported(here: Path) -> None:
    (here / "out").write_text("")
    result = run(data_set(here / "x.npz", one=points()), "--out", "out", "--runtime", "torch")
    assert isinstance(result.exception, UsageError)
    assert "--out out cannot be a folder" in str(result.exception)


def test_files_have_the_names_of_the_videos_and_stay_in_the_folder() -> None:
    assert unique_file_stems(["a.mp4", "walk.v2.mov", "S1-walk 2-0"]) == ["a", "walk.v2", "S1-walk_2-0"]
    assert unique_file_stems(["../../evil.npz", "/etc/passwd", "..", "C:\\x.avi"]) == ["evil", "passwd", "clip", "x"]
    assert unique_file_stems(["a.mp4", "a.avi", "b/a.mp4"]) == ["a", "a-2", "a-3"]
    assert len(set(unique_file_stems(["a-2", "a", "a"]))) == 3
