"""What tools/make_weights.py makes goes all the way: imported, recognised, read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from remi_stream.models.checkpoint import expected_shapes, read_checkpoint
from remi_stream.models.importer import import_file
from remi_stream.models.manifest import find_model_file, model_files_by_name
from remi_stream.models.store import file_fault, model_path

from .conftest import ROOT

Make = Callable[[str], Path]
PINNED = {name for name, file in model_files_by_name().items() if file.wheel}


def test_every_model_to_import_can_be_made_under_its_published_name() -> None:
    from tools.make_weights import MODELS

    assert {name: file for name, (file, _) in MODELS.items()} == {
        name: file.published or file.file for name, file in model_files_by_name().items() if name not in PINNED
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(model_files_by_name()) - PINNED))
def test_made_model_is_imported_as_itself(name: str, made: Make, home: Path) -> None:
    taken = import_file(made(name))
    assert taken.file == find_model_file(name)
    assert file_fault(taken.file, thorough=True) == ""
    if taken.file.network:
        state = read_checkpoint(model_path(taken.file), taken.file.network)
        assert {key: tuple(value.shape) for key, value in state.items()} == dict(expected_shapes(taken.file.network))


@pytest.mark.slow
def test_weights_in_darknets_order_come_back(made: Make) -> None:
    got = read_checkpoint(made("yolov3"), "yolov3")
    raw = np.fromfile(made("yolov3"), "<f4", offset=20, count=160)
    names = ("batch_norm_0.bias", "batch_norm_0.weight", "batch_norm_0.running_mean", "batch_norm_0.running_var", "conv_0.weight")
    order = [got[f"module_list.0.{name}"].numpy().ravel() for name in names]
    assert np.array_equal(np.concatenate(order)[:160], raw)


def test_tool_writes_the_file_it_names_and_another_seed_makes_other_weights(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools/make_weights.py"), "smoothnet_w8"]
    said = subprocess.run([*command, str(tmp_path / "a.tar")], capture_output=True, text=True, check=True).stdout
    assert said == f"smoothnet_w8: {tmp_path / 'a.tar'} (0.1 MB)\n"
    subprocess.run([*command, str(tmp_path), "--seed", "7"], check=True, capture_output=True)
    one = read_checkpoint(tmp_path / "a.tar", "smoothnet_8")
    other = read_checkpoint(tmp_path / "checkpoint_8.pth.tar", "smoothnet_8")
    assert float((one["decoder.weight"] - other["decoder.weight"]).abs().max()) > 0.01


def test_made_instanthmr_sees_a_person_of_human_size_where_the_box_is(made: Make) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from weights.instanthmr import OUTPUTS

    from remi_stream.skeletons import JOINT_NAMES

    session = onnxruntime.InferenceSession(str(made("instanthmr")))
    image = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    cond = np.array([[0.0, 0.0, 0.5], [0.5, -0.2, 0.25]], np.float32)
    found = dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"image": image, "cliff_cond": cond})))
    assert {name: array.shape[1:] for name, array in found.items()} == OUTPUTS
    person = dict(zip(JOINT_NAMES["mhr70"], found["joints_3d"][0]))
    for upper, lower in (("nose", "neck"), ("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")):
        assert person[upper][1] < person[lower][1]  # y is down
    assert person["left_shoulder"][0] > person["right_shoulder"][0]  # seen from the front
    assert person["left_wrist"][1] > person["left_elbow"][1] > person["left_shoulder"][1]
    assert 0.2 < np.linalg.norm(person["left_elbow"] - person["left_shoulder"]) < 0.35
    assert np.abs(found["joints_2d"]).max() < 1.05  # in the crop
    near, far = found["cam_trans"]
    assert 2 * near[2] == pytest.approx(far[2], rel=1e-5)
    assert far[0] > 0.5
    assert not np.allclose(
        found["joints_3d"][0], session.run(["joints_3d"], {"image": 0 * image, "cliff_cond": cond})[0][0], atol=1e-3
    )
