"""`remi-stream video` and `images`: the real commands on the sample clip and on small videos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from remi_stream.cli.files import DRAWING_OPTIONS
from remi_stream.paths import data_file
from remi_stream.recordings.results import open_results
from tests.cli.command import finish, start, turn_until
from tests.clip import BLAZEPOSE, SMPL, truth
from tests.offline.seer import files
from tests.offline.videos import film

SAMPLE = str(data_file("sample.mp4"))
TAKE = ("take/000000.msgpack", "take/index.json")
QUICK = ("--engine", "synthetic", "--detector", "synthetic")


def remi(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "remi_stream", *arguments], capture_output=True, text=True, timeout=600)


def assert_sample(folder: Path, count: int) -> None:
    """Check that the person of the clip is there in every frame, at the true place."""
    take = open_results(folder)
    assert (len(take.frames), take.fps, take.size) == (count, 30.0, (1280, 720))
    assert [[person.track_id for person in bodies.people] for bodies in take.frames] == [[1]] * count
    seen = np.array([bodies.people[0].keypoints_px[BLAZEPOSE] for bodies in take.frames])
    assert np.linalg.norm(seen - truth()["joints_px"][:count, SMPL], axis=-1).mean() < 6.5
    for bodies in take.frames:
        native = bodies.people[0].native
        assert native["detected_xyxy"].shape == (4,)
        assert 0.5 <= native["detected_score"][0] <= 1


def check_killed_run(tmp_path: Path, count: int, chunk: int, kill_after: int) -> None:
    """Check that a run that was killed at the end of a chunk and resumed writes the same bytes as one that was not."""
    options = ("--frames", str(count), "--chunk", str(chunk), "--focal", "1150", "--format", "npz")
    done = remi("video", SAMPLE, "--out", str(tmp_path / "whole"), *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"sample: {count} frames, 1 person" in done.stdout
    process = start("video", SAMPLE, "--out", str(tmp_path / "killed"), *options)
    chunks = tmp_path / f"killed/.sample.part/raw/take/{kill_after:06d}.msgpack"
    turn_until(lambda: None, chunks.exists, 600)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [".sample.part"]
    again = remi("video", SAMPLE, "--out", str(tmp_path / "killed"), *options)
    assert again.returncode == 0, again.stderr
    assert "by an earlier run)" in again.stdout
    assert files(tmp_path / "killed/sample") == files(tmp_path / "whole/sample")
    assert_sample(tmp_path / "whole/sample", count)


@pytest.mark.timeout(600)
def test_killed_run_of_the_sample_clip_ends_with_the_same_bytes(tmp_path: Path) -> None:
    check_killed_run(tmp_path, count=16, chunk=4, kill_after=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_240_frames_of_the_sample_clip_have_a_body_after_a_kill(tmp_path: Path) -> None:
    check_killed_run(tmp_path, count=240, chunk=60, kill_after=1)


def test_several_videos_and_folders_are_processed_and_a_bad_one_is_reported(tmp_path: Path) -> None:
    (tmp_path / "in/more").mkdir(parents=True)
    film(tmp_path / "in/a.mp4", frames=9)
    film(tmp_path / "in/more/a.mp4", frames=5)
    (tmp_path / "in/more/10.mp4").write_bytes(b"no video")
    (tmp_path / "in/more/b.txt").write_text("no video")
    result = remi(
        "video", str(tmp_path / "in/more"), str(tmp_path / "in/a.mp4"), "--out", str(tmp_path / "out"), *QUICK, "--every", "2"
    )
    assert result.returncode == 3
    assert result.stderr.count("\n") == 2
    assert result.stderr.endswith("remi-stream: 1 of 3 failed\n")
    assert "10.mp4 cannot be read as a video" in result.stderr
    assert result.stdout.count("\n") == 2
    assert [len(open_results(tmp_path / "out" / name).frames) for name in ("a", "a-2")] == [3, 5]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")) == ["a", "a-2"]


FAULT = """
import sys
from remi_stream import cli
from remi_stream.detect.detector import SyntheticDetector

def fail(self, image, calls=[]):
    calls.append(1)
    if len(calls) == 3:
        raise ValueError("SVD did not converge")
    return found(self, image)

found, SyntheticDetector.detect = SyntheticDetector.detect, fail
sys.exit(cli.main())
"""


def test_bug_that_ends_one_video_is_logged_and_the_others_are_processed(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        film(tmp_path / name, frames=5)
    command = [sys.executable, "-c", FAULT, "video", str(tmp_path), "--out", str(tmp_path / "out"), *QUICK]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    last = result.stderr.splitlines()[-2:]
    assert last[0].endswith("a.mp4 failed (ValueError: SVD did not converge); the log has more")
    assert last[1] == "remi-stream: 1 of 2 failed"
    assert len(open_results(tmp_path / "out/b").frames) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["video", "none.mp4", "--out", "out"], "No such video file: none.mp4"),
        (["video", "."], "No video in folder ."),
        (["video", SAMPLE], "Give --out DIR, or --realtime"),
        (["video", SAMPLE, "--out", "out", "--viewer", "none"], "--viewer applies only to live playback (--realtime)"),
        (["video", SAMPLE, "--out", "out", "--loop"], "--loop applies only to live playback"),
        (["video", SAMPLE, "--realtime", "--every", "2"], "--every does not apply to live playback (--realtime)"),
        (["video", SAMPLE, "--realtime", "--start", "2"], "--start does not apply to live playback (--realtime)"),
        (["video", SAMPLE, SAMPLE, "--realtime"], "--realtime plays one file, got 2"),
        (["video", SAMPLE, "--out", "out", "--start", "3", "--end", "2"], "--end 2 is not after --start 3"),
        (["video", SAMPLE, "--out", "out", "--format", "npy"], "Unknown format 'npy'. Did you mean 'npz'?"),
        (["video", SAMPLE, "--out", "out", "--engine", "blazepos"], "Unknown engine 'blazepos'"),
        (["video", SAMPLE, "--out", "out", "--window", "8"], "need --smooth smoothnet"),
        (["video", SAMPLE, SAMPLE, "--out", "out", "--detections", "d.json"], "--detections is for one video, got 2"),
        (["video", SAMPLE, "--out", "out", "--detfile", "d.json"], "Cannot read d.json: No such file"),
        (
            ["video", SAMPLE, "--out", "out", "--detfile", "d.json", "--detector", "yolov3"],
            "--detector has no effect with --detections",
        ),
        (["video", SAMPLE, "--realtime", "--detections", "d.json"], "--detections does not apply to live playback (--realtime)"),
        (["images", "none", "--out", "out"], "No such image folder: none"),
        (["images", ".", "--out", "out"], "No images in folder"),
    ],
)
def test_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from remi_stream.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["remi-stream", *arguments])
    assert main() == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_existing_results_are_kept_without_overwrite(tmp_path: Path) -> None:
    path, out = str(film(tmp_path / "a.mp4", frames=3)), str(tmp_path / "out")
    assert remi("video", path, "--out", out, *QUICK).returncode == 0
    before = files(tmp_path / "out")
    assert sorted(before) == [f"a/{name}" for name in ("frames.npz", "people.csv", *TAKE, "track-000001.npz")]
    refused = remi("video", path, "--out", out, *QUICK, "--format", "json")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "already exists. Give --overwrite" in refused.stderr
    assert refused.stderr.endswith(f"To write another format from it: remi-stream export {out}/a --to json\n")
    assert files(tmp_path / "out") == before
    assert remi("video", path, "--out", out, *QUICK, "--overwrite", "--frames", "2").returncode == 0
    assert len(open_results(tmp_path / "out/a").frames) == 2


def test_missing_weights_are_named_before_missing_files_of_smpl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from remi_stream.cli import main

    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["remi-stream", "video", SAMPLE, "--out", "out", "--engine", "poco", "--format", "poco"])
    monkeypatch.chdir(tmp_path)
    assert main() == 3
    err = capsys.readouterr().err
    assert "poco_cliff" in err
    assert "SMPL_NEUTRAL" not in err
    assert err.count("\n") == 1


def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", frames=9)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "remi_stream", "video", str(path), "--out", str(tmp_path / "out"), *QUICK]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env={**os.environ, "COLUMNS": "120"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:
            break
    out, _ = process.communicate()
    assert "a: 9 frames, 1 person, in" in out
    assert b"fps" in shown
    assert b"people" in shown


def test_images_are_processed_one_by_one_and_the_bad_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("2.jpg", "10.jpg"):
        assert cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))
    (folder / "3.jpg").write_bytes(b"no image")
    code, out, err = finish(start("images", str(folder), "--out", str(tmp_path / "out"), *QUICK), lambda: None, 120)
    assert (code, err) == (0, "")
    assert out.startswith("album: 2 images, 2 people in them")
    assert "; 1 skipped (3.jpg) -> " in out
    assert list(open_results(tmp_path / "out/album").images) == ["2.jpg", "10.jpg"]


def given(*rows: tuple[str, tuple[float, float, float, float]]) -> str:
    """Content of a detection file."""
    return json.dumps([{"image_id": name, "category_id": 1, "bbox": bbox, "score": 0.5} for name, bbox in rows])


def detected(folder: Path) -> list[list[list[float]]]:
    """Detected boxes of each frame, from the results."""
    return [[each.native["detected_xyxy"].tolist() for each in bodies.people] for bodies in open_results(folder).frames]


def test_detection_file_replaces_the_detector(tmp_path: Path) -> None:
    path, boxes = str(film(tmp_path / "a.mp4", frames=4)), tmp_path / "d.json"
    rows = [("0.jpg", (8, 8, 16, 32)), ("1.jpg", (9, 8, 16, 32)), ("3.jpg", (10, 8, 16, 32)), ("3.jpg", (40, 8, 16, 32))]
    boxes.write_text(given(*rows))
    command = ("video", path, "--engine", "synthetic", "--out", str(tmp_path / "out"), "--detfile", str(boxes))
    result = remi(*command)
    assert (result.returncode, result.stderr) == (0, "")
    assert detected(tmp_path / "out/a") == [[[8, 8, 24, 40]], [[9, 8, 25, 40]], [], [[10, 8, 26, 40], [40, 8, 56, 40]]]
    take = open_results(tmp_path / "out/a")
    assert [[each.track_id for each in bodies.people] for bodies in take.frames] == [[1], [1], [], [1, 2]]
    assert json.loads((tmp_path / "out/a/take/index.json").read_text())["detector"] == "d.json"


def test_boxes_of_images_are_matched_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("1.jpg", "3.jpg"):
        assert cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))
    (folder / "2.jpg").write_bytes(b"no image")
    (tmp_path / "d.json").write_text(
        given(("3.jpg", (30, 8, 16, 32)), ("2.jpg", (20, 8, 16, 32)), ("elsewhere.jpg", (0, 0, 9, 9)))
    )
    command = ("images", str(folder), "--out", str(tmp_path / "out"), "--engine", "synthetic")
    result = remi(*command, "--detections", str(tmp_path / "d.json"))
    assert result.returncode == 0
    assert result.stderr.count("\n") == 1
    assert "d.json has no box for 1 of 3 images (1.jpg); 1 of the 3 images in " in result.stderr
    assert detected(tmp_path / "out/album") == [[], [[30, 8, 46, 40]]]


def test_run_with_other_boxes_does_not_resume(tmp_path: Path) -> None:
    from remi_stream.cli.offline import _settings
    from remi_stream.detect.detection_file import read_video_detections

    fingerprints = []
    for x in (1, 1, 2):
        (tmp_path / "d.json").write_text(given(("0.jpg", (x, 8, 16, 32))))
        options = {"detections": tmp_path / "d.json", "format": [], "engine": "synthetic", "native": False, "chunk": 300}
        fingerprints.append(
            _settings(
                {**options, **dict.fromkeys(DRAWING_OPTIONS)}, set(), read_video_detections(tmp_path / "d.json")
            ).fingerprint
        )
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_boxes_of_another_video_are_reported_at_the_end(tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text('[{"image_id": 5000, "bbox": [10, 10, 50, 100], "score": 1}]')
    done = remi(
        "video", SAMPLE, "--out", str(tmp_path / "out"), "--engine", "synthetic", "--frames", "3", "--detections", str(boxes)
    )
    assert done.returncode == 0, done.stderr
    assert f"remi-stream: {boxes} has no box for any processed frame\n" in done.stderr


def test_imported_smoothnet_is_converted_by_the_first_video_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.convert.stand_ins import bring

    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    bring("smoothnet_w8", tmp_path)
    command = (
        "video",
        SAMPLE,
        "--out",
        str(tmp_path / "out"),
        *QUICK,
        "--frames",
        "12",
        "--smooth",
        "smoothnet",
        "--window",
        "8",
    )
    for notice in ("remi-stream: Converting checkpoint_8.pth.tar to ONNX, once (a minute or so) ...\n", ""):
        done = remi(*command, "--overwrite")
        assert (done.returncode, done.stderr) == (0, notice)
    assert open_results(tmp_path / "out/sample").frames[5].filter == "smoothnet, 8 frames"
