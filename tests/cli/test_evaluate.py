"""`evaluate`: tables, JSON and chart of the errors of a prediction."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image, ImageColor
from typer.testing import CliRunner

from remi_stream.cli.app import app
from remi_stream.errors import RemiError, UsageError
from remi_stream.evaluate.chart import MISSED_COLOUR
from remi_stream.export import tables
from remi_stream.messages import Person
from remi_stream.recordings.results import ResultsIndex, write_chunk, write_results_index
from remi_stream.recordings.take import Take
from remi_stream.render.chart import BAR_COLOURS
from tests.evaluate.worlds import FRAMES, changed, clip, write_3dpw


def evaluate(*arguments: str | Path) -> str:
    """Run the command; return stdout."""
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "120"})
    if result.exception:
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def write_results(take: Take, folder: Path) -> Path:
    """Write a take as the results of `video`."""
    (folder / "take").mkdir(parents=True)
    names = {"name": take.name, "size": take.size, "fps": take.fps, "engine": "dancer", "detector": "none"}
    write_results_index(folder, ResultsIndex(**names, count=len(take.frames), chunk=FRAMES))  # type: ignore[arg-type]
    write_chunk(folder, 0, take.frames)
    return folder


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with two people; both left hands are 24 cm off, and the second one is missed in two frames."""

    def off(person: Person) -> Person:
        joints = person.joints_m.copy()
        joints[22] += np.array([0, 0.24, 0], np.float32)
        return replace(person, joints_m=joints)

    take = changed(clip(people=2), off, lambda bodies: replace(bodies, people=bodies.people[: 1 + (bodies.frame_id > 1)]))
    return write_results(take, tmp_path_factory.mktemp("results") / "walk")


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(clip(people=2), tmp_path_factory.mktemp("truth") / "walk")


def cells(text: str, name: str) -> list[str]:
    """The cells of the row of this name."""
    found = re.search(rf"^{name} {{2,}}(.*?) *$", text, re.M)
    assert found, text
    return re.split(r" +", found[1])


def test_tables_show_the_errors_of_all_each_person_and_each_joint(moved: Path, truth: Path) -> None:
    text = evaluate(moved, truth, "--joints")
    assert text.startswith("sample (truth) against sample (truth)")
    assert "6 of 6 frames, 30 per second; the 24 joints of SMPL, from the pelvis" in text
    overall, first, second = (cells(text, name) for name in ("all", "person 1", "person 2"))
    assert overall[:3] == ["83.3", "0", "10.0"]
    assert overall[4:] == ["0.0"] * 5
    assert (first[0], second[0]) == ("100.0", "66.7")
    assert cells(text, "left_hand")[0] == "240.0"
    assert cells(text, "right_hand")[0] == "0.0"
    assert "not evaluated" not in text


def test_json_holds_the_same_with_null_for_what_is_not_known(moved: Path, truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.json"
    assert f"scores {out}" in evaluate(moved, write_3dpw(tmp_path / "walk.pkl"), "--json", out)
    report = json.loads(out.read_text())
    assert (report["schema"], report["truth"], report["truth_engine"]) == (1, "dance_00", "truth")
    assert report["frames"] == {"truth": 6, "compared": 6, "per_second": 30.0}
    assert report["overall"]["mpjpe_mm"] == pytest.approx(10, abs=0.05)
    assert (report["overall"]["pve_mm"], report["overall"]["id_switches"]) == (None, 0)
    assert {person: scores["found"] for person, scores in report["people"].items()} == {"1": 6, "2": 4}
    assert report["joints"]["left_hand"]["mpjpe_mm"] == pytest.approx(240, abs=0.5)
    assert "are not those of 'smpl'" in report["left_out"]["rotation, PVE"]


def test_image_is_drawn(moved: Path, truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.png"
    assert f"chart {out}" in evaluate(moved, truth, "--plot", out)
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert image.width == 1380
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    for colour in (BAR_COLOURS[0], MISSED_COLOUR):  # a curve, and a stripe for missed people
        assert (np.abs(pixels - ImageColor.getrgb(colour)).sum(1) < 24).any()


def test_image_without_detections_is_drawn(truth: Path, tmp_path: Path) -> None:
    empty = changed(clip(), lambda person: person, lambda bodies: replace(bodies, people=[]))
    text = evaluate(write_results(empty, tmp_path / "empty"), truth, "--plot", tmp_path / "a.png", "--json", tmp_path / "a.json")
    assert cells(text, "all")[0] == "0.0"
    assert "no person was found" in text
    assert (tmp_path / "a.png").exists()


def test_file_of_one_person_is_compared_with_the_sample(tmp_path: Path) -> None:
    first = tables.write_track_files(clip(people=2), tmp_path)[1]
    text = evaluate(first, "sample")
    assert "6 of 240 frames, 30 per second" in text
    assert cells(text, "all")[:5] == ["100.0", "0", "0.0", "0.0", "0.0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "sample"], "No such prediction: nowhere"),
        (["{moved}", "nowhere"], "No such truth: nowhere. Give `sample`"),
        (["{moved}", "sample", "--plot", "a.jpg"], "--plot must be an image, FILE.png; got a.jpg"),
        (["{moved}", "sample", "--bodies", "nowhere"], "No such folder: nowhere"),
        (["{moved}", "sample", "--joint-set", "lsp15"], "Unknown joint set 'lsp15'. Did you mean 'lsp14'"),
        (["{moved}/take/index.json", "sample"], "is no prediction"),
        (["{moved}/take", "sample"], "is not the index of a recording"),
        (["{moved}", "sample", "--offset", "100"], "No frame of sample is at a time of sample. Give --offset S"),
        (["{moved}", "{moved}", "--json", "/nowhere/a.json"], "/nowhere/a.json cannot be written"),
    ],
)
def test_mistake_is_reported_in_one_line(arguments: list[str], message: str, moved: Path) -> None:
    with pytest.raises(RemiError) as error:
        evaluate(*[argument.format(moved=moved) for argument in arguments])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_or_other_npz_is_reported_in_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UsageError, match="no person's file of a recording: it has no track_id"):
        evaluate(tmp_path / "other.npz", "sample")
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4")
    with pytest.raises(RemiError, match="cannot be read"):
        evaluate(tmp_path / "broken.npz", "sample")


def test_progress_is_shown_on_a_terminal(moved: Path, truth: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "remi_stream", "evaluate", str(moved), str(truth)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env={**os.environ, "COLUMNS": "120"})
    os.close(theirs)
    shown = ""
    with contextlib.suppress(OSError):  # EIO: the command has closed the terminal
        while data := os.read(ours, 4096):
            shown += data.decode(errors="replace")
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert "MPJPE" in out
    sightings = 2 * FRAMES - 2
    assert re.search(rf"people in frames .*{sightings}/{sightings}", shown)
