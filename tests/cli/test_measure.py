"""`measure` with a fake pipeline, and with a running one."""

from __future__ import annotations

import csv
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remi_stream.cli import main
from remi_stream.cli.measure import choose_camera
from remi_stream.errors import RemiError, UsageError
from remi_stream.measure import motion, remi_metrics
from remi_stream.paths import run_folder
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import ControlServer, LinkContext, Publisher
from tests.cli.command import finish, start
from tests.pipeline.daemon import running
from tests.sample import bodies, facts

SAMPLE = {"name": "front", "source": "synthetic:?fps=30"}
FILTERED = ["No Filter Active", "No Filter Active", *[0.5] * 10]


class Pipeline:
    """A bus with bodies, and a relay that answers."""

    def __init__(self, name: str, *cameras: str) -> None:
        self.name = name
        self.cameras = cameras
        self.rows: dict[str, list[Any]] = {camera: FILTERED for camera in cameras}
        self.context = LinkContext()
        self.publisher = Publisher(self.context, daemon_address(name))
        self.server = ControlServer(self.context, daemon_address(name), self._answer)
        self._sent, self._at = 0, 0.0

    def turn(self) -> None:
        """Answer, and publish bodies of all cameras twenty times a second."""
        self.server.pump()
        self.publisher.pump()
        now = time.monotonic()
        if now > self._at + 0.05:
            self._at, self._sent = now, self._sent + 1
            for camera in self.cameras:
                message = bodies(self._sent, now - 0.02, camera=camera, engine="synthetic", filter="none")
                self.publisher.publish(f"bodies/{camera}", message)

    def measure(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command; return exit code, stdout and stderr."""
        return finish(start("measure", "--name", self.name, *arguments), self.turn, 60)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if question["ask"] == "status":
            cameras = {camera: msgspec.to_builtins(facts(camera=camera)) for camera in self.cameras}
            return {"name": self.name, "engine": "synthetic", "engines": {"front": "synthetic"}, "cameras": cameras}
        if question["ask"] == "filter":
            return {"filters": {question["camera"]: {"lag_s": None}}}
        rows = {camera: row for camera, row in self.rows.items() if camera == question["camera"]}
        return {"columns": list(remi_metrics.RELAY_COLUMNS[1:]), "rows": rows}


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with run_folder(f"t{secrets.token_hex(4)}") as folder:
        made = Pipeline(folder.name, "front", "front-door")
        yield made
        made.context.close()


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_added_to_three_files(pipeline: Pipeline, tmp_path: Path) -> None:
    pose, filtered = tmp_path / "low.csv", tmp_path / "filter.csv"
    arguments = ["--camera", "front", "--condition", "Low Light", "--seconds", "1"]
    for _ in range(2):
        code, out, err = pipeline.measure(*arguments, "--csv", str(pose), "--filter-csv", str(filtered))
        assert (code, err) == (0, "")
    honest = tmp_path / "low-honest.csv"
    assert out.endswith(f"row added to {pose}\nrow added to {honest}\nrow added to {filtered}\n")
    files = ((pose, remi_metrics.POSE_COLUMNS), (honest, motion.MOTION_COLUMNS), (filtered, remi_metrics.RELAY_COLUMNS))
    for path, columns in files:
        assert [tuple(row) for row in read(path)] == [columns] * 2
    assert {row["Condition"] for row in read(pose) + read(honest)} == {"Low Light"}
    for row in read(honest):
        assert [row["Camera"], row["Engine"], row["Filter"]] == ["front", "synthetic", "none"], "not those of front-door"
        assert 20 <= float(row["Latency (ms)"]) < 1000
        assert float(row["Joint Change (mm)"]) == 0


def test_without_files_the_numbers_are_only_printed(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = pipeline.measure("--camera", "front-door", "--seconds", "1")
    assert (code, err, list(tmp_path.iterdir())) == (0, "", [])
    assert re.match(r"front-door, synthetic: \d+ frames in 1 s, condition Optimal\n", out)
    assert re.search(r"^Latency +[\d.]+ +ms +from capture to the viewer", out, re.M)
    assert re.search(r"^Detection rate +100\.0 +% ", out, re.M)
    assert re.search(r"^Filter time +0\.5000 +ms ", out, re.M)
    assert "row added" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--seconds", "0.5"], 2, "--seconds"),
        (["--seconds", "61"], 2, "--seconds"),
        (["--condition", ""], 2, "Condition '' is not a line of 1 to 60 printable characters"),
        (["--condition", "a\nb"], 2, "Condition 'a\\nb' is not a line"),
        (["--csv", "none/m.csv"], 3, "none/m.csv cannot be written: folder none does not exist"),
        (["--csv", "other.csv"], 3, "other.csv has other columns than this measurement"),
        (["--filter-csv", "other.csv"], 3, "other.csv has other columns than this measurement"),
        ([], 3, "No remi-stream answers"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["remi-stream", "measure", "--name", f"t{secrets.token_hex(4)}", *arguments])
    got = main()
    out, err = capsys.readouterr()
    assert (got, out) == (code, "")
    assert err.startswith("remi-stream: ")
    assert err.count("\n") == 1
    assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_full_disk_is_one_line(pipeline: Pipeline) -> None:
    code, _, err = pipeline.measure("--camera", "front", "--seconds", "1", "--filter-csv", "/dev/full")
    assert (code, err) == (3, "remi-stream: /dev/full cannot be written: No space left on device.\n")


def test_relay_that_has_measured_no_filter_is_reported(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.rows = {}
    code, _, err = pipeline.measure("--camera", "front", "--seconds", "1", "--filter-csv", str(tmp_path / "f.csv"))
    assert code == 3
    assert err.startswith("remi-stream: The relay has measured no filter, so no row is added to ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("requested", "cameras", "expected"),
    [
        (None, ["front"], "front"),
        ("right", ["left", "right"], "right"),
        (None, ["right", "left"], UsageError("There are several cameras; choose one with --camera: left, right")),
        ("frnt", ["front"], UsageError("Unknown camera 'frnt'. Did you mean 'front'? Known: front.")),
        (None, [], RemiError("The pipeline 'p' has no camera yet. See: remi-stream status --name p")),
    ],
)
def test_camera_is_chosen(requested: str | None, cameras: list[str], expected: Any) -> None:
    status = {"name": "p", "cameras": {camera: {} for camera in cameras}}
    if isinstance(expected, str):
        assert choose_camera(requested, status) == expected
        return
    with pytest.raises(type(expected)) as caught:
        choose_camera(requested, status)
    assert str(caught.value) == str(expected)


def test_camera_without_bodies_is_reported(pipeline: Pipeline) -> None:
    pipeline.publisher.publish = lambda topic, message: None  # type: ignore[method-assign,assignment]
    code, _, err = pipeline.measure("--camera", "front")
    assert (code, err) == (
        3,
        f"remi-stream: No bodies of camera 'front' within 5 s. See: remi-stream status --name {pipeline.name}\n",
    )


def test_running_pipeline_is_measured(tmp_path: Path) -> None:
    camera = {"name": "sample", "source": "remi_stream/data/sample.mp4", "loop": True}
    with running(tmp_path, cameras=[camera], boxes="truth") as daemon:
        daemon.more_bodies(5, 60)
        command = start(
            "measure", "--name", daemon.name, "--seconds", "3", "--csv", str(tmp_path / "m.csv"), **daemon.environment
        )
        began = time.monotonic()
        code, _, err = finish(command, lambda: daemon.take(0.1), 60)
        seen = daemon.bodies[-1]
        assert (code, err) == (0, "")
        pose, honest = read(tmp_path / "m.csv")[0], read(tmp_path / "m-honest.csv")[0]
        heard = [each for each in daemon.bodies if each.captured_at > began]
        assert daemon.stop() == 0
    rate = float(honest["Frames per Second"])
    assert rate == pytest.approx(len(heard) / (seen.captured_at - began), rel=0.5)
    assert [honest["Engine"], honest["Filter"]] == ["blazepose", seen.filter]
    assert 0 < float(pose["Avg End-to-End Latency (ms)"]) <= float(honest["Latency (ms)"]) < 5000
    assert float(pose["Avg Detection/Tracking Rate (%)"]) > 50
    for name in ("Avg Pose Change (Euclidean Dist)", "Avg Joint Position Change (mm)"):
        assert float(pose[name]) > 0
    for name in ("Joint Change (mm)", "Joint Jitter (mm)", "Rotation Change (deg)"):
        assert float(honest[name]) > 0
