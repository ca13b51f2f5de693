"""A plan runs by addresses, shapes and graphs as TensorRT has them, on a TensorRT and a CUDA that work on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from remi_stream.convert import conversion, onnx_conversion, parity
from remi_stream.convert.conversion import ConversionRequest, convert_model
from remi_stream.convert.tensorrt import PlanSignature
from remi_stream.errors import RemiError
from remi_stream.inference import load as fastest
from remi_stream.inference import onnx_cache, tensorrt
from remi_stream.inference.gpu import Gpu, NoGpuError
from remi_stream.inference.load import load_model
from remi_stream.inference.plan import (
    PLAN_FILE,
    PlanKey,
    PlanManifest,
    TensorSpec,
    exclusive_build_folder,
    list_plans,
    plan_folder,
    publish_plan,
    read_plan,
)
from remi_stream.inference.tensorrt import TensorRtBackend, TensorRtRuntime
from remi_stream.models.manifest import ModelFile, find_model_file
from remi_stream.models.store import model_sha256
from tests.convert.stand_ins import bring
from tests.inference.cpu_cuda import CpuCuda, cpu_tensorrt

ADA = Gpu("NVIDIA GeForce RTX 4090", "8.9")
X = np.random.default_rng(3).normal(size=(9, 1, 8)).astype(np.float32)
Plan = Callable[..., PlanManifest]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with the smallest network, converted to ONNX."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMI_HOME", str(folder / "home"))
        onnx_conversion.convert_to_onnx(bring("smoothnet_w8", folder))
        yield folder / "home"


@pytest.fixture
def smoothnet(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """That network, with no plans, on a machine with a GPU and TensorRT."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    (tmp_path / "models").symlink_to(home / "models")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "onnx").symlink_to(home / "cache" / "onnx")
    for module in (fastest, conversion):
        monkeypatch.setattr(module, "find_gpu", lambda: ADA)
    for module in (fastest, conversion, tensorrt):
        monkeypatch.setattr(module, "find_backend", lambda names=(): cpu_tensorrt())
    monkeypatch.setattr(tensorrt, "TorchCuda", CpuCuda)
    return find_model_file("smoothnet_w8")


@pytest.fixture
def plan(smoothnet: ModelFile) -> Plan:
    """Publish a plan of that network: its ONNX."""

    def make(content: bytes = b"", weights: str = "", **parts: object) -> PlanManifest:
        onnx = content or onnx_cache.cached_onnx(smoothnet).read_bytes()
        known = {"model": "smoothnet_w8", "precision": "fp32", "onnx_sha256": "0" * 64, "max_batch": 4, "backend": "tensorrt"}
        known |= {"version": "11.1.0.106", "capabilities": ("8.9",)}
        key = PlanKey(**{**known, **parts})  # type: ignore[arg-type]
        ports = ([TensorSpec("x", (-1, 1, 8), "float32")], [TensorSpec("y", (-1, 1, 8), "float32")])
        manifest = PlanManifest(key, weights or model_sha256(smoothnet), *ports, bytes=len(onnx), build_s=1.0)
        with exclusive_build_folder(key) as making:
            (making / PLAN_FILE).write_bytes(onnx)
            publish_plan(making, manifest)
        return manifest

    return make


def load(manifest: PlanManifest, cuda: CpuCuda, backend: TensorRtBackend | None = None) -> TensorRtRuntime:
    plan = (plan_folder(manifest.key) / PLAN_FILE).read_bytes()
    return TensorRtRuntime(plan, manifest, backend or cpu_tensorrt(), cuda)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9])
def test_batches_of_every_size_give_what_pytorch_gives(smoothnet: ModelFile, plan: Plan, rows: int) -> None:
    runtime = load(plan(), CpuCuda())
    found = runtime.run({"x": X[:rows]})["y"]
    np.testing.assert_allclose(found, load_model(smoothnet, "torch", device="cpu").run({"x": X[:rows]})["y"], atol=1e-5)
    assert runtime.name == "TensorRT 11.1.0.106 fp32, batches of 1 to 4"


def test_every_size_of_batch_has_its_graph_when_it_starts_and_runs_by_it(plan: Plan) -> None:
    cuda = CpuCuda()
    runtime = load(plan(), cuda)
    assert (cuda.recorded, cuda.replayed) == (4, 0)
    runtime.run({"x": X[:3]})
    assert (cuda.recorded, cuda.replayed) == (4, 1)
    runtime.run({"x": X})
    assert (cuda.recorded, cuda.replayed) == (4, 4), "9 rows are 4 + 4 + 1"


def test_next_call_gives_its_own_outputs(plan: Plan) -> None:
    runtime = load(plan(), CpuCuda())
    first = runtime.run({"x": X[:2]})["y"].copy()
    second = runtime.run({"x": X[2:4]})["y"].copy()
    assert abs(first - second).max() > 0.01
    np.testing.assert_array_equal(runtime.run({"x": X[:2]})["y"], first)


def test_plan_of_one_fixed_size_takes_any_number_of_rows(plan: Plan) -> None:
    manifest = plan()
    expected = load(manifest, CpuCuda()).run({"x": X[:3]})["y"]
    fixed = [TensorSpec("x", (2, 1, 8), "float32")]
    runtime = load(msgspec.structs.replace(manifest, inputs=fixed), cuda := CpuCuda())
    np.testing.assert_allclose(runtime.run({"x": X[:3]})["y"], expected, atol=1e-6)
    assert cuda.recorded == 1


def test_full_gpu_is_reported_with_smaller_batches(plan: Plan) -> None:
    manifest = plan()
    for cuda, backend in ((CpuCuda(room=4500), cpu_tensorrt()), (CpuCuda(), cpu_tensorrt(contexts=2))):
        with pytest.raises(RemiError) as error:
            load(manifest, cuda, backend)
        assert str(error.value).startswith("The GPU has too little memory for smoothnet_w8 in batches of 4 (")
        assert str(error.value).endswith(
            "Close other programs, or build a plan for smaller batches: remi-stream convert smoothnet_w8-trt --max-batch 2"
        )


def test_plan_that_tensorrt_refuses_is_reported_in_its_words(plan: Plan) -> None:
    with pytest.raises(RemiError) as error:
        load(plan(content=b"not a plan"), CpuCuda())
    assert str(error.value) == (
        "TensorRT 11.1.0.106 refuses the plan of smoothnet_w8: IRuntime::deserializeCudaEngine: Error Code 1: Serialization "
        "(magic tag). Build it again: remi-stream convert smoothnet_w8-trt --again"
    )


def test_plan_that_fits_is_loaded_by_the_engines_suffix(smoothnet: ModelFile, plan: Plan) -> None:
    plan()
    plan(max_batch=2)
    plan(precision="fp16")
    runtime = load_model(smoothnet, "tensorrt", precision="fp32", strict=True, threads=2)
    assert runtime.name == "TensorRT 11.1.0.106 fp32, batches of 1 to 4"
    assert runtime.run({"x": X[:1]})["y"].shape == (1, 1, 8)


BUILD = "remi-stream convert smoothnet_w8-trt"
MISFITS = {
    f"The plan of smoothnet_w8 is for sm_86, and this GPU (NVIDIA GeForce RTX 4090) is sm_89. Build it: {BUILD}": {
        "capabilities": ("8.6",)
    },
    f"The plan of smoothnet_w8 is for tensorrt 10.16.1.11, and 11.1.0.106 is installed. Build it: {BUILD}": {
        "version": "10.16.1.11"
    },
    f"The plan of smoothnet_w8 is fp16, not fp32. Build it: {BUILD} --precision fp32": {"precision": "fp16"},
    f"The plan of smoothnet_w8 is for win32-AMD64, not for this system. Build it here: {BUILD}": {"system": "win32-AMD64"},
    f"There is no plan of smoothnet_w8 for TensorRT. Build it: {BUILD}": {"weights": "f" * 64},
}


@pytest.mark.parametrize("line", MISFITS)
def test_plan_that_does_not_fit_is_reported_with_what_builds_one(smoothnet: ModelFile, plan: Plan, line: str) -> None:
    plan(**MISFITS[line])
    with pytest.raises(RemiError) as error:
        load_model(smoothnet, "tensorrt", precision="fp32", strict=True)
    assert str(error.value) == line


def test_of_plans_that_do_not_fit_the_nearest_is_reported(smoothnet: ModelFile, plan: Plan) -> None:
    plan(precision="fp16")
    plan(capabilities=("8.6",))
    plan(backend="tensorrt_rtx", version="1.6.0.9")
    with pytest.raises(RemiError, match=r"is for tensorrt_rtx 1.6.0.9, and 11.1.0.106 is installed"):
        load_model(smoothnet, "tensorrt", precision="fp32", strict=True)


def test_tensorrt_comes_before_tensorrt_rtx_and_that_before_pytorch(
    smoothnet: ModelFile, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(backend="tensorrt_rtx", version="1.7.1.116")
    plan()
    there = {"tensorrt": "11.1.0.106", "tensorrt_rtx": "1.7.1.116"}

    def find(names: tuple[str, ...]) -> TensorRtBackend:
        for name in names:
            if name in there:
                return cpu_tensorrt(name, there[name])
        raise RemiError(f"{names[0]} is not installed. Install it: ...")

    for module in (fastest, tensorrt):
        monkeypatch.setattr(module, "find_backend", find)
    monkeypatch.setattr(fastest, "torch_fallback", lambda file, precision, why: why)
    assert load_model(smoothnet, "tensorrt", precision="fp32").name.startswith("TensorRT 11")
    del there["tensorrt"]
    assert load_model(smoothnet, "tensorrt", precision="fp32").name.startswith("TensorRT-RTX 1.7")
    del there["tensorrt_rtx"]
    assert load_model(smoothnet, "tensorrt", precision="fp32") == (
        "The plan of smoothnet_w8 is for tensorrt 11.1.0.106: tensorrt is not installed. Install it: ..."
    )
    with pytest.raises(RemiError, match="tensorrt is not installed"):
        load_model(smoothnet, "tensorrt", precision="fp32", strict=True)


def test_without_a_gpu_the_engine_for_the_cpu_is_named(smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Gpu:
        raise NoGpuError("there is no NVIDIA driver here (libnvidia-ml.so.1 is missing)")

    monkeypatch.setattr(fastest, "find_gpu", none)
    with pytest.raises(RemiError) as error:
        load_model(find_model_file("poco_cliff"), "tensorrt")
    assert str(error.value) == (
        "poco-trt needs an NVIDIA GPU, and there is no NVIDIA driver here (libnvidia-ml.so.1 is missing). Without one: poco-ov"
    )


@pytest.mark.parametrize(("wrong", "kept"), [(0.0, True), (0.5, False)])
def test_new_plan_is_compared_on_the_gpu_before_it_is_kept(
    smoothnet: ModelFile, monkeypatch: pytest.MonkeyPatch, wrong: float, kept: bool
) -> None:
    def built(backend: TensorRtBackend, file: ModelFile, onnx: Path, plan: Path, *_: object) -> PlanSignature:
        plan.write_bytes(onnx.read_bytes())
        return PlanSignature([TensorSpec("x", (-1, 1, 8), "float32")], [TensorSpec("y", (-1, 1, 8), "float32")])

    run = TensorRtRuntime.run
    monkeypatch.setattr(conversion, "build_with_backend", built)
    monkeypatch.setattr(TensorRtRuntime, "run", lambda self, tensors: {"y": run(self, tensors)["y"] + wrong})
    if kept:
        converted = convert_model(smoothnet, ConversionRequest(), lambda phase, done, steps: None)
        assert converted.manifest.key.capabilities == ("8.9",)
        assert converted.unchecked_reason == ""
        assert 0 <= converted.manifest.plan_parity["relative"] < parity.PARITY_LIMITS["fp32"]["relative"]
        assert read_plan(converted.path.parent) == converted.manifest
    else:
        with pytest.raises(RemiError, match=r"The FP32 plan of checkpoint_8.pth.tar differs from PyTorch"):
            convert_model(smoothnet, ConversionRequest(), lambda phase, done, steps: None)
        assert list_plans(smoothnet) == {}
