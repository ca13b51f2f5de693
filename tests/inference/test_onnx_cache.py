"""A checkpoint becomes ONNX once, and every runtime computes the same with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.convert import onnx_conversion, onnx_export
from remi_stream.errors import RemiError
from remi_stream.inference import onnx_cache
from remi_stream.inference.load import load_model
from remi_stream.models import importer
from remi_stream.models.manifest import ModelFile, find_model_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

X = np.random.default_rng(3).normal(size=(5, 1, 8)).astype(np.float32)


@pytest.fixture
def smoothnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """The smallest network, imported into an empty store."""
    from tools.make_weights import MODELS

    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file, write = MODELS["smoothnet_w8"]
    write(tmp_path / file, 1234)
    importer.import_file(tmp_path / file)
    return find_model_file("smoothnet_w8")


def test_checkpoint_that_was_not_converted_is_reported_with_the_command(smoothnet: ModelFile) -> None:
    with pytest.raises(RemiError, match=r"has not been converted to ONNX. Convert it: remi-stream convert smoothnet_w8"):
        onnx_cache.cached_onnx(smoothnet)


def test_every_runtime_gives_what_pytorch_gives(smoothnet: ModelFile) -> None:
    onnx_conversion.convert_to_onnx(smoothnet)
    expected = load_model(smoothnet, "torch", device="cpu").run({"x": X})["y"]
    assert expected.std() > 0.01
    for kind, settings in (("onnx", {}), ("openvino", {"precision": "f32"})):
        found = load_model(smoothnet, kind, **settings).run({"x": X})["y"]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_same_weights_become_the_same_bytes_that_say_nothing_of_this_machine(smoothnet: ModelFile) -> None:
    first = onnx_conversion.convert_to_onnx(smoothnet).read_bytes()
    onnx_cache.onnx_path(smoothnet).unlink()
    assert onnx_conversion.convert_to_onnx(smoothnet).read_bytes() == first
    assert str(Path.cwd()).encode() not in first
    assert b"site-packages" not in first


def test_conversion_that_fails_leaves_nothing(smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(network: str, checkpoint: Path, target: Path, precision: str) -> None:
        target.write_bytes(b"half")
        raise RuntimeError("no memory left")

    monkeypatch.setattr(onnx_export, "export_onnx", half)
    with pytest.raises(RuntimeError):
        onnx_conversion.convert_to_onnx(smoothnet)
    assert list(onnx_cache.onnx_path(smoothnet).parent.iterdir()) == []


def test_pipeline_converts_in_a_process_of_its_own_and_only_once(smoothnet: ModelFile) -> None:
    reported: list[str] = []
    onnx_conversion.convert_missing([smoothnet], reported.append)
    onnx_conversion.convert_missing([smoothnet], reported.append)
    assert reported == ["Converting checkpoint_8.pth.tar to ONNX, once (a minute or so) ..."]
    assert onnx_cache.cached_onnx(smoothnet).is_file()


def test_failed_conversion_is_one_line(smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    from remi_stream.models.store import model_path

    model_path(smoothnet).write_bytes(b"damaged")
    with pytest.raises(RemiError, match=r"checkpoint_8\.pth\.tar") as error:
        onnx_conversion.convert_missing([smoothnet], lambda line: None)
    assert "\n" not in str(error.value)


def test_missing_tools_are_reported_with_what_to_install(smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Any:
        return None if name == "onnxscript" else object()

    monkeypatch.setattr("importlib.util.find_spec", find)
    with pytest.raises(RemiError, match=r"needs onnxscript, which is not installed here: .*pip install .*\[torch\]"):
        onnx_conversion.convert_to_onnx(smoothnet)
