from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from remi_stream.cli.convert import convertible_models
from remi_stream.cli.lists import engines
from remi_stream.cli.models import app
from remi_stream.errors import UsageError
from remi_stream.models.manifest import find_model_file

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path))


def test_models_lists_files_licences_and_what_is_missing() -> None:
    out = RUNNER.invoke(app, []).stdout
    assert {"pose_landmark_full.tflite", "pose_detection.tflite", "Apache-2.0", "mediapipe==0.10.21", "missing"} <= set(
        out.split()
    )
    assert RUNNER.invoke(app, ["list"]).stdout == out


def test_verify_names_what_is_missing_and_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "pose_detection.tflite").write_bytes(b"half")
    result = RUNNER.invoke(app, ["verify"], standalone_mode=False)
    assert result.stdout.splitlines() == ["pose_detection: damaged", "pose_landmark_full: missing"]
    assert result.return_value == 3


def test_engines_lists_the_default_engine_and_its_weights() -> None:
    alone = typer.Typer()
    alone.command()(engines)
    out = RUNNER.invoke(alone, []).stdout
    assert {"blazepose", "openvino", "Apache-2.0", "missing"} <= set(out.split())
    header, *rows = [line for line in out.splitlines() if not line.startswith("  ")]
    starts = [header.index(word) for word in header.split()]
    assert all(row[start - 2 : start].isspace() and row[start] != " " for row in rows for start in starts[1:])


@pytest.mark.parametrize(
    ("got", "wanted"),
    [("SMPL-Neutral", "smpl_neutral"), ("poco_clif", "poco_cliff"), ("J_REGRESSOR_EXTRA", "j_regressor_extra")],
)
def test_nearest_model_name_is_suggested_whatever_its_case(got: str, wanted: str) -> None:
    with pytest.raises(UsageError, match=rf"^Unknown model '{got}'\. Did you mean '{wanted}'\? Known: "):
        find_model_file(got)


def test_nearest_name_to_convert_is_suggested() -> None:
    with pytest.raises(UsageError, match=r"nothing to convert for 'poco-clif'\. Did you mean 'poco_cliff'\? Choose from: "):
        convertible_models("poco-clif")
