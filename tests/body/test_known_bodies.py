"""The default body and an imported SMPL."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.body import known_bodies
from remi_stream.body.smpl import load_default_body
from remi_stream.models.importer import import_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from tools.make_weights import regressor, smpl

    folder = tmp_path_factory.mktemp("smpl")
    for name, write in (("SMPL_NEUTRAL.pkl", smpl(chumpy=True)), ("J_regressor_extra.npy", regressor)):
        write(folder / name, 1234)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    return tmp_path


def test_engines_use_the_open_body_until_smpl_is_imported(files: dict[str, Path]) -> None:
    assert known_bodies.load_engine_body() is load_default_body()
    assert known_bodies.find_extra_regressor() is None
    import_file(files["SMPL_NEUTRAL.pkl"])
    import_file(files["J_regressor_extra.npy"])
    body = known_bodies.load_engine_body()
    assert body.name == "smpl"
    assert known_bodies.load_engine_body() is body
    extra = known_bodies.find_extra_regressor()
    assert extra is not None
    assert extra.shape == (9, len(body.v_template))


def test_imported_body_moves_like_the_one_that_it_was_made_of(files: dict[str, Path]) -> None:
    import_file(files["SMPL_NEUTRAL.pkl"])
    body, ours = known_bodies.load_engine_body(), load_default_body()
    assert body.v_template.shape == (6890, 3)
    assert body.shapedirs.shape == (6890, 3, 10)
    assert body.posedirs is not None
    assert body.posedirs.shape == (6890, 3, 207)
    assert (body.faces.dtype, body.parents.dtype) == (np.int32, np.int32)
    assert body.parents.tolist() == ours.parents.tolist()
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.3, 3), rng.normal(0, 0.3, 69), rng.normal(0, 1, 10), np.array([0.1, 0.2, 3.0])
    assert np.abs(body.joints(*pose) - ours.joints(*pose)).max() < 0.02
    assert np.isfinite(body.vertices(*pose)).all()
    still = np.zeros(3), np.zeros(69), np.zeros(10), np.zeros(3)
    assert np.allclose(body.vertices(*still), body.v_template, atol=1e-6)
    assert not np.allclose(body.vertices(np.zeros(3), pose[1], *still[2:]), body.v_template, atol=0.1)


def test_extra_joints_are_where_their_names_say(files: dict[str, Path]) -> None:
    import_file(files["SMPL_NEUTRAL.pkl"])
    import_file(files["J_regressor_extra.npy"])
    body, extra = known_bodies.load_engine_body(), known_bodies.find_extra_regressor()
    assert extra is not None
    points = extra @ body.v_template
    joints = body.rest_joints(np.zeros(10))
    assert np.allclose(points[[0, 1]], joints[[2, 1]], atol=0.02)  # right, left hip
    assert points[3, 1] > points[8, 1] > points[7, 1] > points[2, 1] - 0.01 > points[5, 1]  # top, head, jaw, neck, thorax
    assert points[3, 1] == pytest.approx(body.v_template[:, 1].max(), abs=0.05)
    assert np.allclose(points[[3, 4, 5, 6, 7, 8], 0], 0, atol=0.01)
