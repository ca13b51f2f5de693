"""The published networks, live on the sample clip, with stand-in weights: import, conversion, pipeline, bodies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.paths import user_data_folder
from tests.pipeline.daemon import check_books, running
from tests.pipeline.test_demo import CAMERA

CONVERTING_S = 240.0
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own store, with the default detector's model out of the user's."""
    detection = user_data_folder() / "models" / "pose_detection.tflite"
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "models").mkdir(parents=True)
    if detection.is_file():
        (tmp_path / "home" / "models" / detection.name).symlink_to(detection)
    return tmp_path / "home"


def bring(model: str, folder: Path, *options: str) -> None:
    """Make a stand-in and import it, as its user would."""
    subprocess.run([sys.executable, ROOT / "tools/make_weights.py", model, folder, *options], check=True, capture_output=True)
    made = max(folder.glob("*.*"), key=lambda path: path.stat().st_mtime)
    subprocess.run([sys.executable, "-m", "remi_stream", "models", "import", made], check=True, capture_output=True)
    made.unlink()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("engine", "model", "skeleton"),
    [
        ("alphapose-17", "alphapose_coco17", "coco17"),
        pytest.param("alphapose", "alphapose_halpe136", "halpe136", marks=pytest.mark.slow),
        pytest.param("poco", "poco_cliff", "smpl24", marks=pytest.mark.slow),
        pytest.param("poco-torch", "poco_cliff", "smpl24", marks=pytest.mark.slow),
        pytest.param("poco-pare", "poco_pare", "smpl24", marks=pytest.mark.slow),
        pytest.param("pare-onnx", "pare", "smpl24", marks=pytest.mark.slow),
        pytest.param("instanthmr", "instanthmr", "mhr70", marks=pytest.mark.slow),
    ],
)
def test_imported_network_is_converted_by_itself_and_gives_people(
    tmp_path: Path, store: Path, engine: str, model: str, skeleton: str
) -> None:
    (tmp_path / "made").mkdir()
    bring(model, tmp_path / "made", "--calm")
    with running(tmp_path, cameras=[CAMERA], engine=engine, boxes="truth") as daemon:
        daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].people, CONVERTING_S)
        bodies = daemon.more_bodies(30, 60)
        log = daemon.log()
        assert daemon.stop() == 0
    check_books(bodies)
    people = [person for body in bodies for person in body.people]
    assert len(people) >= 25
    assert {person.skeleton for person in people} == {skeleton}
    assert all(np.isfinite(person.keypoints_px).all() for person in people)
    if skeleton == "smpl24":
        assert all(person.smpl is not None and person.smpl.body == "smpl" for person in people)
        assert all(1 < person.joints_m[0, 2] < 8 for person in people)
    if model != "instanthmr" and not engine.endswith("-torch"):
        assert "to ONNX, once" in log
    assert "for non-commercial use only" in log
