"""What runs on a GPU where no plan fits: PyTorch, by graphs or eagerly; and programs of torch-tensorrt."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from remi_stream.convert import torch_tensorrt
from remi_stream.errors import RemiError
from remi_stream.inference import cuda, load, tensorrt
from remi_stream.inference import torch as graphs
from remi_stream.inference.gpu import Gpu
from remi_stream.inference.load import load_model
from remi_stream.inference.plan import PLAN_FILE, PlanKey, PlanManifest
from remi_stream.inference.tensorrt import TensorRtBackend, TorchTensorRtRuntime
from remi_stream.inference.torch import TorchGpuRuntime
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import ensure_model_file
from tests.convert.stand_ins import bring
from tests.inference.cpu_cuda import CpuCuda

X = np.random.default_rng(3).normal(size=(11, 1, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def smoothnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelFile]:
    """The smallest network."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMI_HOME", str(folder / "home"))
        yield bring("smoothnet_w8", folder)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose GPU is its CPU: torch.compile does nothing."""
    monkeypatch.setattr(load, "find_gpu", lambda: Gpu("NVIDIA H200", "9.0"))
    monkeypatch.setattr(cuda, "TorchCuda", CpuCuda)
    monkeypatch.setattr(tensorrt, "TorchCuda", CpuCuda)
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    monkeypatch.setattr(graphs, "TorchGpuRuntime", functools.partial(TorchGpuRuntime, device="cpu"))


def expected(file: ModelFile, x: np.ndarray) -> np.ndarray:
    return load_model(file, "torch", device="cpu").run({"x": x})["y"]


@pytest.mark.parametrize("given", [np.asarray, torch.from_numpy], ids=["array", "on the device"])
@pytest.mark.parametrize("rows", [1, 3, 8, 11])
def test_batches_are_filled_up_or_split_and_give_the_same(smoothnet: ModelFile, rows: int, given: Any) -> None:
    runtime = TorchGpuRuntime("smoothnet_8", ensure_model_file(smoothnet), precision="fp32", compiled=False, device="cpu")
    np.testing.assert_allclose(runtime.run({"x": given(X[:rows])})["y"], expected(smoothnet, X[:rows]), atol=1e-6)
    np.testing.assert_array_equal(
        load_model(smoothnet, "torch", device="cpu").run({"x": given(X[:rows])})["y"], expected(smoothnet, X[:rows])
    )
    assert runtime.name == "torch cpu fp32, eager"


def test_without_a_plan_pytorch_runs_with_one_warning(smoothnet: ModelFile, gpu: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        runtime = load_model(smoothnet, "tensorrt", precision="fp32")
    assert [record.getMessage() for record in caplog.records] == [
        "PyTorch runs smoothnet_w8 instead of TensorRT, with CUDA graphs (a minute or so to compile). "
        "There is no plan of smoothnet_w8 for TensorRT. Build it: remi-stream convert smoothnet_w8-trt"
    ]
    assert runtime.name == "torch cpu fp32, CUDA graphs (instead of TensorRT)"
    np.testing.assert_allclose(runtime.run({"x": X})["y"], expected(smoothnet, X), atol=1e-6)


def test_where_nothing_compiles_pytorch_runs_eagerly(
    smoothnet: ModelFile, gpu: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(module: Any, **_: object) -> Any:
        def fail(*_: object) -> None:
            raise RuntimeError("Cannot find a working triton installation.\nEither it is ...")

        return fail

    monkeypatch.setattr(torch, "compile", compiled)
    with caplog.at_level(logging.WARNING):
        runtime = load_model(smoothnet, "tensorrt", precision="fp32")
    assert caplog.records[-1].getMessage() == (
        "PyTorch runs it eagerly: torch.compile failed: Cannot find a working triton installation."
    )
    assert runtime.name == "torch cpu fp32, eager (instead of TensorRT)"


def test_strict_forbids_pytorch_instead(smoothnet: ModelFile, gpu: None) -> None:
    with pytest.raises(RemiError, match=r"There is no plan of smoothnet_w8 for TensorRT. Build it: "):
        load_model(smoothnet, "tensorrt", precision="fp32", strict=True)


def test_pytorch_for_cpus_is_reported_as_that(smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "find_gpu", lambda: Gpu("NVIDIA H200", "9.0"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(RemiError) as error:
        load_model(smoothnet, "tensorrt", precision="fp32")
    assert str(error.value) == (
        f"PyTorch {torch.__version__} sees no GPU: it is a build for CPUs, or the driver is older than its CUDA (none). "
        "See: remi-stream doctor"
    )


def fake_torch_tensorrt() -> TensorRtBackend:
    """Its compile leaves the program as it is."""
    module = SimpleNamespace(
        Input=lambda **shapes: shapes,
        compile=lambda program, **options: program,
        save=lambda program, path, **options: torch.export.save(program, path + ".pt2"),
    )
    return TensorRtBackend("torch_tensorrt", module, "2.13.0")


def test_program_of_torch_tensorrt_is_saved_and_run(smoothnet: ModelFile, gpu: None, tmp_path: Path) -> None:
    ports = torch_tensorrt.build_torch_tensorrt_plan(
        fake_torch_tensorrt(), "smoothnet_8", ensure_model_file(smoothnet), tmp_path / PLAN_FILE, "fp32", 4, device="cpu"
    )
    (tmp_path / f"{PLAN_FILE}.pt2").rename(tmp_path / PLAN_FILE)
    key = PlanKey("smoothnet_w8", "fp32", "0" * 64, 4, "torch_tensorrt", "2.13.0", ("9.0",))
    manifest = PlanManifest(key, "", ports.inputs, ports.outputs, bytes=1, build_s=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch_tensorrt", ModuleType("torch_tensorrt"))
        runtime = TorchTensorRtRuntime(tmp_path, manifest, device="cpu")
    for given in (X, torch.from_numpy(X)):
        np.testing.assert_allclose(runtime.run({"x": given})["y"], expected(smoothnet, X), atol=1e-6)
    assert runtime.name == "torch-tensorrt 2.13.0 fp32, batches of 1 to 4"


def test_missing_torch_tensorrt_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_tensorrt, "TORCH_TENSORRT", "torch_tensorrt_that_is_missing")
    with pytest.raises(RemiError) as error:
        torch_tensorrt.find_torch_tensorrt()
    release = torch.__version__.partition("+")[0]
    assert str(error.value) == (
        f"torch-tensorrt is not installed. Install the release of your PyTorch: pip install torch-tensorrt=={release}"
    )


def test_torch_tensorrt_without_tensorrt_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As release 2.13.0 fails."""
    (tmp_path / "torch_tensorrt_alone.py").write_text("raise Exception('Could not find libnvinfer.so.11\\n  Search paths: []')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(torch_tensorrt, "TORCH_TENSORRT", "torch_tensorrt_alone")
    with pytest.raises(RemiError, match=r"^torch-tensorrt does not start: Could not find libnvinfer.so.11\. Its release must be"):
        torch_tensorrt.find_torch_tensorrt()
