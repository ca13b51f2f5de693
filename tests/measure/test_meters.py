"""Camera meters of the viewers and the command line: rows, files, and REMI's golden numbers."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity import group_metrics
from parity.csv_rows import split
from parity.folder import read_folder

from remi_stream.errors import RemiError, UsageError
from remi_stream.measure import meters as meters_module
from remi_stream.measure import motion, remi_metrics
from remi_stream.measure.meters import CameraMeters
from remi_stream.measure.remi_metrics import PoseObservation
from remi_stream.measure.table import MEASUREMENT_KINDS, REMI_POSE, REMI_RELAY, REMI_STREAM_MOTION
from remi_stream.messages import Bodies
from tests.sample import bodies, person

ENGINES = {"front": "synthetic"}
PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = [folder for folder in (PROJECT / "tests/data/parity", PROJECT.parent / "shared/parity") if folder.is_dir()]
GOLDEN = [golden for folder in FOLDERS for golden in read_folder(folder) if golden.name == "preprocess"]
FILTERED = ["OneEuro Smooth", "OneEuro Smooth", 25.0, 0.5, 1.0, 0.5, 0.2, 0.1, 20.0, 10.0, None, 0.2]


OFTEN = """
import sys
from pathlib import Path
from remi_stream.measure.meters import CameraMeters
from tests.sample import bodies
meters = CameraMeters({"front": "synthetic"}, observe=lambda bodies: None)
meters.add(bodies(), 100.0)
for _ in range(10):
    meters.record("front", sys.argv[2], Path(sys.argv[1]), 100.0)
"""


def relay(question: dict[str, Any]) -> dict[str, Any]:
    """Replies of a relay."""
    if question == {"ask": "filter", "camera": "front"}:
        return {"filters": {"front": {"name": "one_euro", "options": {}, "lag_s": 0.08, "state": "on"}}}
    assert question == {"ask": "filter_metrics", "camera": "front"}
    return {"columns": list(remi_metrics.RELAY_COLUMNS[1:]), "rows": {"front": FILTERED}}


def still(seen: Bodies) -> PoseObservation:
    """A person who does not move; posing a real mesh would be slow."""
    return PoseObservation(np.zeros((23, 3, 3)), np.zeros(10), np.zeros((4, 3)), np.zeros(4))


def filled(meters: CameraMeters, camera: str = "front", frames: int = 12, start: float = 100.0) -> float:
    """Add ten frames per second; return the time of the last one."""
    for k in range(frames):
        at = start + k / 10
        meters.add(bodies(k, at, camera=camera, filter="one_euro", people=[person()]), at + 0.03)
    return at + 0.03


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.path.parts[-3])
def test_rows_are_those_of_remi(golden: Any, tmp_path: Path) -> None:
    entries = golden.entries()
    if not group_metrics.belongs(entries, golden.manifest):
        pytest.skip("its rows are those of the larger set")
    observations = list(group_metrics.observations_of(entries))
    meters = CameraMeters(ENGINES, observe=lambda frame: observations[frame.frame_id])
    for k, (at, loop_s) in enumerate(zip(entries["metrics.in.t"].tolist(), entries["metrics.in.loop_seconds"].tolist())):
        meters.add(bodies(k, at, stamps={"relay": at + loop_s}), at + loop_s)
    header, expected = map(split, golden.manifest["metrics_csv_rows"])
    paths = meters.record("front", "Fast Motion", tmp_path, float(entries["metrics.in.record_time"]))
    lines = paths[0].read_text().splitlines()
    assert [paths[0].name, split(lines[0])] == ["pocolib_demo_no_trt_metrics_avg.csv", header]
    got = split(lines[1])
    assert got[1] == expected[1]
    np.testing.assert_allclose(np.array(got[2:], float), np.array(expected[2:], float), rtol=2e-7, atol=6e-5)


def test_record_writes_a_row_of_each_kind(tmp_path: Path) -> None:
    meters = CameraMeters(ENGINES, relay)
    paths = meters.record("front", " Low Light ", tmp_path / "new" / "folder", filled(meters))
    files = [remi_metrics.POSE_FILE_WITHOUT_TENSORRT, motion.MOTION_FILE, remi_metrics.RELAY_FILE]
    assert paths == [tmp_path / "new" / "folder" / file for file in files]
    pose, honest, filtered = (read(path)[0] for path in paths)
    assert [tuple(row) for row in (pose, honest, filtered)] == [
        remi_metrics.POSE_COLUMNS,
        motion.MOTION_COLUMNS,
        remi_metrics.RELAY_COLUMNS,
    ]
    assert pose["Condition"] == "Low Light"
    assert float(pose["Avg End-to-End Latency (ms)"]) == pytest.approx(10)
    assert float(pose["Avg Detection/Tracking Rate (%)"]) == 100
    assert [honest[name] for name in motion.MOTION_COLUMNS[1 : motion.TEXT_COLUMN_COUNT]] == [
        "Low Light",
        "front",
        "synthetic",
        "one_euro",
    ]
    assert float(honest["Latency (ms)"]) == pytest.approx(30)
    assert float(honest["Filter Lag (ms)"]) == 80
    assert [filtered["Condition"], filtered["Avg Filter Latency (ms)"], filtered["Avg Raw Betas Variance"]] == [
        "OneEuro Smooth",
        "0.5000",
        "NaN",
    ]


def test_second_record_adds_a_row(tmp_path: Path) -> None:
    meters = CameraMeters(ENGINES, observe=still)
    now = filled(meters)
    for condition in ("Optimal", "Custom"):
        paths = meters.record("front", condition, tmp_path, now)
    assert [[row["Condition"] for row in read(path)] for path in paths] == [["Optimal", "Custom"]] * 2


@pytest.mark.parametrize(
    ("engine", "file"),
    [
        ("poco-trt", "pocolib_demo_metrics_avg.csv"),
        ("poco", "pocolib_demo_no_trt_metrics_avg.csv"),
        ("blazepose-ov", "pocolib_demo_no_trt_metrics_avg.csv"),
    ],
)
def test_file_says_whether_tensorrt_ran(engine: str, file: str, tmp_path: Path) -> None:
    meters = CameraMeters({"front": engine}, observe=still)
    assert meters.record("front", "Optimal", tmp_path, filled(meters))[0].name == file


def test_each_of_several_cameras_has_its_folder(tmp_path: Path) -> None:
    meters = CameraMeters({"left": "synthetic", "right": "synthetic"}, observe=still)
    now = max(filled(meters, "left"), filled(meters, "right"))
    for camera in ("left", "right"):
        assert {path.parent for path in meters.record(camera, "Optimal", tmp_path, now)} == {tmp_path / camera}


def test_first_measured_frame_is_compared_with_the_one_before() -> None:
    meters = CameraMeters(ENGINES, seconds=1.0, observe=still)
    now = filled(meters, frames=40)
    pose, honest = meters.measure("front", "Optimal", now)
    assert not math.isnan(pose.numbers[2])
    assert honest.numbers[0] == pytest.approx(10, rel=0.01)
    kept = meters._received["front"]
    assert now - kept[0].received_at == pytest.approx(2.0, abs=0.11), "no more is kept than is needed"


@pytest.mark.parametrize("condition", ["", "   ", "two\nlines", "tab\there", "x" * 61, "\x1b[31mred"])
def test_condition_is_one_line_that_can_be_printed(condition: str, tmp_path: Path) -> None:
    meters = CameraMeters(ENGINES, observe=still)
    now = filled(meters)
    with pytest.raises(
        UsageError, match=r"(?s)^Condition .* 1 to 60 printable characters.*Optimal, Low Light, Partial Occlusion"
    ) as caught:
        meters.record("front", condition, tmp_path, now)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("condition", [*remi_metrics.CONDITIONS, 'rain, "heavy"', "Gegenlicht é", "x" * 60])
def test_any_other_line_is_a_condition(condition: str, tmp_path: Path) -> None:
    meters = CameraMeters(ENGINES, observe=still)
    paths = meters.record("front", condition, tmp_path, filled(meters))
    assert [read(path)[0]["Condition"] for path in paths] == [condition, condition]


def test_unknown_camera_is_reported() -> None:
    with pytest.raises(UsageError, match=r"Unknown camera 'frnt'\. Did you mean 'front'"):
        CameraMeters(ENGINES, observe=still).measure("frnt", "Optimal", 0.0)


@pytest.mark.parametrize("later_s", [None, 6.0])
def test_no_recent_bodies_are_reported_and_nothing_is_written(later_s: float | None, tmp_path: Path) -> None:
    meters = CameraMeters(ENGINES, observe=still)
    now = 100.0 if later_s is None else filled(meters) + later_s
    with pytest.raises(RemiError, match="No bodies of camera 'front' in the last 5 s: there is nothing to measure"):
        meters.record("front", "Optimal", tmp_path / "new", now)
    assert not (tmp_path / "new").exists()


def test_one_file_with_other_columns_leaves_all_files_as_they_are(tmp_path: Path) -> None:
    (tmp_path / motion.MOTION_FILE).write_text("a,b\n1,2\n")
    meters = CameraMeters(ENGINES, observe=still)
    with pytest.raises(RemiError, match="has other columns"):
        meters.record("front", "Optimal", tmp_path, filled(meters))
    assert [path.name for path in tmp_path.iterdir()] == [motion.MOTION_FILE]


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    meters = CameraMeters(ENGINES, observe=still)
    with pytest.raises(RemiError, match=r"file/new cannot be created: Not a directory\. Give another folder\.$"):
        meters.record("front", "Optimal", tmp_path / "file" / "new", filled(meters))


def test_relay_that_does_not_answer_is_reported_and_nothing_is_written(tmp_path: Path) -> None:
    def gone(question: dict[str, Any]) -> dict[str, Any]:
        raise RemiError("No remi-stream answers")

    meters = CameraMeters(ENGINES, gone)
    with pytest.raises(RemiError, match="No remi-stream answers"):
        meters.record("front", "Optimal", tmp_path, filled(meters))
    assert list(tmp_path.iterdir()) == []


def test_bodies_may_come_while_a_row_is_measured(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow_look(seen: Bodies) -> None:
        begun.set()
        assert go_on.wait(10)

    meters = CameraMeters(ENGINES, observe=slow_look)
    now = filled(meters)
    writer = threading.Thread(target=meters.record, args=("front", "Optimal", tmp_path, now))
    writer.start()
    assert begun.wait(10)
    filled(meters, start=now, frames=100)
    go_on.set()
    writer.join(10)
    assert len(read(tmp_path / motion.MOTION_FILE)) == 1


def test_programs_that_record_at_once_lose_no_row(tmp_path: Path) -> None:
    programs = [subprocess.Popen([sys.executable, "-c", OFTEN, str(tmp_path), f"program {k}"], cwd=PROJECT) for k in range(2)]
    assert [program.wait(60) for program in programs] == [0, 0]
    for file, columns in (
        (remi_metrics.POSE_FILE_WITHOUT_TENSORRT, remi_metrics.POSE_COLUMNS),
        (motion.MOTION_FILE, motion.MOTION_COLUMNS),
    ):
        rows = read(tmp_path / file)
        assert sorted(row["Condition"] for row in rows) == ["program 0"] * 10 + ["program 1"] * 10
        assert {tuple(row) for row in rows} == {columns}


def test_every_column_has_a_meaning() -> None:
    for kind in MEASUREMENT_KINDS:
        assert len(kind.columns) == kind.text_columns + len(kind.quantities)
        for column, quantity in zip(kind.columns[kind.text_columns :], kind.quantities):
            unit = {"1/s": ("FPS", "per Second")}.get(quantity.unit, (f"({quantity.unit})",)) if quantity.unit else ()
            told = "(" in column and "Euclidean" not in column
            assert not quantity.unit or quantity.unit == "rad" or any(each in column for each in unit), column
            assert not told or quantity.unit or "Translation" in column, column
    assert (REMI_POSE.text_columns, REMI_RELAY.text_columns, REMI_STREAM_MOTION.text_columns) == (2, 3, 5)
    assert meters_module.METRIC_FILES.keys() == {REMI_STREAM_MOTION, REMI_RELAY}
