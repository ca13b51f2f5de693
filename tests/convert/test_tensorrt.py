"""Plans are built without a GPU, once, completely or not at all, with their manifest."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch

from remi_stream.cli import main
from remi_stream.cli.convert import reject_embedded_engine
from remi_stream.convert import conversion, onnx_conversion
from remi_stream.convert.conversion import ConversionRequest, convert_model
from remi_stream.convert.tensorrt import PlanBuildOptions, build_tensorrt_plan
from remi_stream.errors import RemiError, UsageError
from remi_stream.inference import onnx_cache
from remi_stream.inference.plan import PLAN_FILE, SYSTEM, PlanKey, list_plans, plans_folder
from remi_stream.inference.tensorrt import TensorRtBackend, find_backend
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import model_sha256
from tests.convert.stand_ins import bring
from tests.sinks import nvml

pytestmark = pytest.mark.rtx
ADA = ConversionRequest(capabilities=("8.9",))


def quiet(phase: str, done: int, steps: int) -> None:
    """Ignore the progress."""


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without one, also where there is one."""
    nvml.install(monkeypatch, fault=nvml.LIBRARY_NOT_FOUND)


@pytest.fixture
def smoothnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """The smallest network."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    return bring("smoothnet_w8", tmp_path)


@pytest.fixture(scope="module")
def alphapose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelFile]:
    """The smallest network with an image input."""
    folder = tmp_path_factory.mktemp("alphapose")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMI_HOME", str(folder / "home"))
        yield bring("alphapose_coco17", folder)


def test_network_with_image_input_becomes_a_plan_without_a_gpu(alphapose: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    phases: list[str] = []
    converted = convert_model(alphapose, ConversionRequest(max_batch=4), lambda phase, done, steps: phases.append(phase))
    key = converted.manifest.key
    assert converted.is_new
    assert "Building engine" in phases
    assert (key.model, key.precision, key.max_batch, key.backend) == ("alphapose_coco17", "fp16", 4, "tensorrt_rtx")
    assert key.version == find_backend(("tensorrt_rtx",)).version
    assert {"8.6", "8.9", "12.0"} <= set(key.capabilities)
    assert "7.5" not in key.capabilities
    assert key.system == SYSTEM
    assert [(port.name, port.shape, port.dtype) for port in converted.manifest.inputs] == [("image", (-1, 256, 192, 3), "uint8")]
    assert [(port.name, port.shape, port.dtype) for port in converted.manifest.outputs] == [
        ("heatmaps", (-1, 17, 64, 48), "float32")
    ]
    assert converted.manifest.weights_sha256 == model_sha256(alphapose)
    assert converted.manifest.bytes == converted.path.stat().st_size < 90e6, "half of the checkpoint: FP16"
    parity = converted.manifest.onnx_parity
    assert 0 < parity["points_px"] < 0.1
    assert 0 < parity["points_px_rounded"] < 0.1
    assert converted.manifest.plan_parity == {}
    assert converted.unchecked_reason.startswith("there is no NVIDIA driver here")


def test_plan_is_reported_in_one_line_with_what_was_not_checked(
    alphapose: ModelFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["remi-stream", "convert", "alphapose-17-trt", "--max-batch", "4"])
    assert main() == 0
    assert main() == 0
    first, second = capsys.readouterr().out.splitlines()
    for line in (first, second):
        assert line.startswith(f"alphapose_coco17: {plans_folder()}")
        assert "fp16, batches of 1 to 4, sm_80, sm_86, sm_89, sm_120" in line
        assert "ONNX compared with PyTorch: points 0.0" in line
        assert "The plan has not been run: " in line
    assert "already there" in second


def test_mistakes_are_one_line(smoothnet: ModelFile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        ("poco_model_trt.pt",): "poco_model_trt.pt is an engine of another TensorRT and GPU and cannot be used. "
        "Build one: remi-stream convert poco-trt",
        (
            "smoothnet_w8-trt",
            "--via",
            "torch-tensorrt",
        ): "torch-tensorrt builds on the GPU that it builds for, and there is none here. Use --via tensorrt",
        ("smoothnet_w8-trt", "--precision", "fp16"): "A network without an image input has no backbone that could run in FP16. "
        "Use --precision fp32",
        ("smoothnet_w8-trt", "--compute-capability", "9.0"): "does not build for compute capability 9.0 "
        "(it builds for 7.5, 8.0, 8.6, 8.9, 12.0",
    }
    for arguments, wanted in lines.items():
        monkeypatch.setattr(sys, "argv", ["remi-stream", "convert", *arguments])
        assert main() in (2, 3)
        said = capsys.readouterr().err.strip()
        assert wanted in said
        assert "\n" not in said
    assert list_plans(smoothnet) == {}


def test_another_torchscript_program_is_recognised_by_its_content(smoothnet: ModelFile, tmp_path: Path) -> None:
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "renamed.pt")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "checkpoint.pt")
    reject_embedded_engine(str(tmp_path / "checkpoint.pt"))
    with pytest.raises(RemiError, match=r"renamed.pt is an engine of another TensorRT"):
        reject_embedded_engine(str(tmp_path / "renamed.pt"))


def test_turing_is_refused_in_tensorrts_words_and_nothing_is_kept(smoothnet: ModelFile) -> None:
    with pytest.raises(RemiError, match=r"TensorRT-RTX .* cannot build smoothnet.*Turing.*FP32 GEMM is not supported") as error:
        convert_model(smoothnet, ConversionRequest(capabilities=("7.5",)), quiet)
    assert "\n" not in str(error.value)
    assert list(plans_folder().glob("*")) == []


def test_every_part_of_the_key_makes_another_plan() -> None:
    key = PlanKey("poco_cliff", "fp16", "a" * 64, 8, "tensorrt_rtx", "1.7.1.116", ("8.9",), "linux-x86_64")
    other = {
        "model": "pare",
        "precision": "fp32",
        "onnx_sha256": "b" * 64,
        "max_batch": 4,
        "backend": "tensorrt",
        "version": "11.1.0.106",
        "capabilities": ("8.6",),
        "system": "linux-aarch64",
    }
    assert set(other) == set(key.__struct_fields__)
    names = {msgspec.structs.replace(key, **{field: value}).folder_name() for field, value in other.items()} | {key.folder_name()}
    assert len(names) == len(other) + 1


def test_other_weights_are_another_plan(smoothnet: ModelFile, tmp_path: Path) -> None:
    first = convert_model(smoothnet, ADA, quiet)
    assert not convert_model(smoothnet, ADA, quiet).is_new
    assert convert_model(smoothnet, ADA._replace(rebuild=True), quiet).is_new
    assert convert_model(smoothnet, ADA._replace(max_batch=2), quiet).path != first.path
    assert len(list_plans(smoothnet)) == 2


def test_damaged_plan_is_built_again(smoothnet: ModelFile) -> None:
    path = convert_model(smoothnet, ADA, quiet).path
    path.write_bytes(path.read_bytes()[:-1])
    assert list_plans(smoothnet) == {}
    assert convert_model(smoothnet, ADA, quiet).is_new
    assert len(list_plans(smoothnet)) == 1


def builder(model: str) -> subprocess.Popen[str]:
    """A process in the middle of a build, or waiting for it."""
    script = Path(__file__).with_name("build_slowly.py")
    return subprocess.Popen([sys.executable, str(script), model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def wait_for_the_lock(process: subprocess.Popen[str]) -> None:
    """Wait until a process waits for the lock of another one, or prints something."""
    waits = f" {process.pid} "
    while not any("->" in line and waits in line for line in Path("/proc/locks").read_text().splitlines()):
        if select.select([process.stdout], [], [], 0.05)[0]:
            return


def test_killed_build_leaves_no_plan_and_does_not_stop_the_next(smoothnet: ModelFile) -> None:
    process = builder(smoothnet.name)
    assert say(process) == "building"
    assert len(list(plans_folder().iterdir())) == 1
    process.kill()
    assert process.wait() == -9
    assert list_plans(smoothnet) == {}
    assert convert_model(smoothnet, ADA, quiet).is_new
    assert [folder.name for folder in plans_folder().iterdir()] == [folder.name for folder in list_plans(smoothnet)]


def test_two_processes_build_one_plan_once(smoothnet: ModelFile) -> None:
    first = builder(smoothnet.name)
    assert say(first) == "building"
    second = builder(smoothnet.name)
    wait_for_the_lock(second)
    assert first.stdin
    first.stdin.write("go on\n")
    first.stdin.close()
    assert say(first) == "made"
    said = say(second)
    if said != "found":
        second.kill()
    assert said == "found"
    assert first.wait() == second.wait() == 0
    assert len(list_plans(smoothnet)) == 1


def test_ctrl_c_ends_a_build_and_leaves_nothing(smoothnet: ModelFile) -> None:
    def interrupt(phase: str, done: int, steps: int) -> None:
        if phase == "Building engine":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_model(smoothnet, ADA, interrupt)
    assert list(plans_folder().glob("*")) == []


def test_timing_cache_is_kept_in_our_folder_for_tensorrt(smoothnet: ModelFile, tmp_path: Path) -> None:
    """TensorRT-RTX has the same calls, so it stands in for TensorRT here; the cache that it gives is empty."""
    convert_model(smoothnet, ADA, quiet)
    real = find_backend(("tensorrt_rtx",))
    order = PlanBuildOptions(max_batch=2, capabilities=("8.9",), tf32=False)
    onnx = conversion.source_onnx(smoothnet, "fp32", False, quiet)
    with pytest.warns(DeprecationWarning, match="Timing cache"):
        build_tensorrt_plan(TensorRtBackend("tensorrt", real.module, "11.1.0.106"), onnx, tmp_path / PLAN_FILE, order, quiet)
    assert [path.name for path in (tmp_path / "home" / "cache" / "timing").iterdir()] == ["tensorrt-11.1.0.106-8.9.cache"]


def test_onnx_without_parity_check_is_exported_again_for_a_plan(smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as alone:
        alone.setattr("remi_stream.convert.onnx_conversion.can_check_parity", lambda: False)
        onnx_conversion.convert_to_onnx(smoothnet)
    known = onnx_cache.read_onnx_metadata(smoothnet)
    assert known
    assert known.parity == {}
    assert convert_model(smoothnet, ADA, quiet).manifest.onnx_parity
    monkeypatch.setattr(conversion, "can_check_parity", lambda: False)
    with pytest.raises(RemiError, match=r"ONNX Runtime, which is missing: .*pip install .*\[onnx\]"):
        convert_model(smoothnet, ADA, quiet)


def test_imported_onnx_becomes_a_plan_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file = bring("instanthmr", tmp_path)
    converted = convert_model(file, ADA, quiet)
    assert converted.manifest.key.precision == "fp32"
    assert {port.name for port in converted.manifest.outputs} >= {"joints_3d", "mhr_params"}
    with pytest.raises(UsageError, match=r"it cannot be converted to FP16 here. Use --precision fp32"):
        convert_model(file, ADA._replace(precision="fp16"), quiet)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["poco_cliff", "poco_pare", "pare", "alphapose_halpe136", "yolov3"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_published_networks_become_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, precision: conversion.Precision
) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file = bring(model, tmp_path, calm=True)
    converted = convert_model(file, ADA._replace(precision=precision), quiet)
    assert converted.manifest.onnx_parity
