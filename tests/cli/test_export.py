"""`remi-stream export`: the real command on recordings and on results of `video`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.cli import main
from remi_stream.export.tables import write_track_files as write_tracks
from remi_stream.paths import data_file
from remi_stream.recordings.reader import open_take
from remi_stream.recordings.recording import CameraRecording
from remi_stream.recordings.results import ResultsIndex, write_chunk, write_results_index
from tests.export.dance import FRAMES, record, take, there
from tests.sample import bodies, person


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return record(tmp_path / "recordings", list(take().frames))


def remi(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["remi-stream", *map(str, arguments)])
    return main()


def test_recording_is_written_in_every_requested_format(recorded: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "remi_stream",
        "export",
        recorded,
        "--to",
        "bvh,gltf",
        "--to",
        "csv",
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{FRAMES} frames as bvh, 3 files -> {tmp_path}/out/bvh" in done.stdout
    assert done.stdout.count("\n") == 3
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    bvh = [f"bvh/track-00000{name}" for name in ("1.bvh", "2.bvh", "2.bvh.json")]
    assert found == [*bvh, "csv/people.csv", f"gltf/{recorded.name}.glb"]


def test_images_are_in_the_folder_of_their_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = record(tmp_path / "recordings", list(take().frames[:2]))
    assert remi(monkeypatch, "export", recorded, "--to", "png", "--vis-fast", "--view-size", "64", "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out.endswith(f"2 frames as png, 2 files -> {tmp_path}/out/png\n")
    assert sorted((tmp_path / "out").rglob("*.png")) == [tmp_path / f"out/png/00000{number}.png" for number in range(2)]


def test_take_of_a_recording_is_what_was_recorded(recorded: Path) -> None:
    kept = open_take(recorded)
    assert (kept.size, kept.fps, len(kept.frames)) == ((1280, 720), 30.0, FRAMES)
    for ours, theirs in zip(kept.frames, take().frames):
        assert (ours.frame_id, ours.captured_at, ours.engine) == (theirs.frame_id, theirs.captured_at, theirs.engine)
        assert ours.intrinsics == theirs.intrinsics
        assert [each.track_id for each in ours.people] == [each.track_id for each in theirs.people]
        for a, b in zip(ours.people, theirs.people):
            assert a.smpl is not None
            assert b.smpl is not None
            for name in ("global_orient", "body_pose", "betas", "transl", "joint_confidence"):
                np.testing.assert_allclose(getattr(a.smpl, name), getattr(b.smpl, name), atol=1e-6)
            np.testing.assert_array_equal(a.joints_m, b.joints_m)
            assert (a.score, a.skeleton, a.smpl.body) == (b.score, b.skeleton, "open")


def test_take_of_a_recording_keeps_its_times_over_gaps_and_new_starts_of_the_camera(tmp_path: Path) -> None:
    flat = person(7, skeleton="coco17", joints=17, smpl=None)
    frames = [bodies(3, 100.0), bodies(5, 100.5, people=[]), bodies(0, 107.0, epoch=2, engine="alphapose", people=[flat])]
    folder = record(tmp_path / "recordings", frames, fps=0.0)
    kept = open_take(folder)
    assert [(frame.epoch, frame.frame_id, frame.captured_at) for frame in kept.frames] == [(1, 3, 0.0), (1, 5, 0.5), (2, 0, 7.0)]
    assert [frame.engine for frame in kept.frames] == ["synthetic", "synthetic", "alphapose"]
    assert kept.frames[2].people[0].smpl is None
    assert kept.fps == pytest.approx(2 / 7)
    again = write_tracks(kept, tmp_path)
    assert len(again) == 3


def test_results_of_video_are_exported_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "walk"
    (folder / "take").mkdir(parents=True)
    write_chunk(folder, 0, take().frames[:10])
    size = (1280, 720)
    write_results_index(
        folder, ResultsIndex(name="walk", size=size, fps=30.0, count=10, chunk=10, engine="blazepose", detector="blazepose")
    )
    assert remi(monkeypatch, "export", folder, "--to", "csv") == 0
    assert f"walk: 10 frames as csv, 1 file -> {folder}/csv" in capsys.readouterr().out
    assert (folder / "csv/people.csv").read_text().count("\n") == 1 + 10 + sum(k < 10 for k in there(2))


def test_existing_output_is_kept_without_overwrite(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (recorded / "csv").mkdir()
    (recorded / "csv/mine.txt").write_text("mine")
    assert remi(monkeypatch, "export", recorded, "--to", "csv") == 2
    assert "csv already exists. Give --overwrite" in capsys.readouterr().err
    assert os.listdir(recorded / "csv") == ["mine.txt"]
    assert remi(monkeypatch, "export", recorded, "--to", "csv", "--overwrite") == 0
    assert os.listdir(recorded / "csv") == ["people.csv"]
    assert not list(recorded.glob(".*"))


def test_what_cannot_be_exported_is_reported_in_one_line(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_journal = CameraRecording(tmp_path / "recordings", "growing")
    open_journal.add_bodies(bodies())
    open_journal.flush()
    damaged = record(tmp_path / "damaged", [bodies()])
    (damaged / "track-000001.npz").write_bytes(b"no archive")
    plain = tmp_path / "plain"
    plain.mkdir()
    for folder, code, words in (
        (tmp_path / "none", 2, "No such recording"),
        (plain, 2, "is not a recording"),
        (data_file("sample.mp4"), 2, "sample.mp4 --realtime; to process it: --out DIR instead of --realtime"),
        (recorded.parent, 2, "is a folder of recordings. Give one of them"),
        (open_journal.folder, 2, f"is not finished. If its recorder is gone: remi-stream recordings {recorded.parent} --recover"),
        (damaged, 3, "cannot be read"),
    ):
        assert remi(monkeypatch, "export", folder, "--to", "bvh", "--out", tmp_path / "out") == code
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert words in err
    assert remi(monkeypatch, "export", recorded, "--to", "bvf") == 2
    assert "Did you mean 'bvh'?" in capsys.readouterr().err
    flat = record(tmp_path / "flat", [bodies(people=[person(smpl=None)], engine="alphapose")])
    assert remi(monkeypatch, "export", flat, "--to", "bvh") == 3
    assert "Use csv or npz" in capsys.readouterr().err
    assert not (flat / "bvh").exists()
    assert not list(flat.glob(".*"))
    assert not (tmp_path / "out").exists()
