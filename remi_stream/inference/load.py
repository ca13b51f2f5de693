"""Load a network into a runtime; on a GPU the fastest one: a TensorRT plan, or PyTorch as fallback with a warning.

Each runtime's library is imported here, when it is needed: PyTorch and OpenVINO must not share a process, since their threads
slow each other down (PyTorch became 15 times slower, measured).

Each runtime makes its first inference when it is loaded, and one network is loaded at a time: libraries initialise themselves in
their first inference, and two of them in two threads deadlocked (OpenVINO, 9 of 107 runs of `remi-stream video`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import threading
from pathlib import Path
from typing import Any

from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.inference.gpu import Gpu, NoGpuError, find_gpu
from remi_stream.inference.onnx_cache import cached_onnx
from remi_stream.inference.plan import SYSTEM, PlanKey, PlanManifest, Precision, build_command, engine_for_model, list_plans
from remi_stream.inference.runtime import Runtime
from remi_stream.inference.tensorrt import BACKEND_TITLES, TorchTensorRtRuntime, find_backend, load_tensorrt_plan
from remi_stream.models.manifest import ModelFile, model_files_by_name
from remi_stream.models.store import ensure_model_file, model_path, model_sha256
from remi_stream.networks.network import require_torch

log = logging.getLogger(__name__)

_loading = threading.RLock()
"""Held while a network is loaded and makes its first inference."""


def load_model(file: ModelFile, kind: str, **settings: Any) -> Runtime:
    """Load a model of the store into the runtime of this name.

    The checkpoint of a network of networks/network.py is loaded directly by torch, as a plan by TensorRT, and as converted ONNX
    by the other runtimes; its inputs and outputs have the names of that table.
    """
    with _loading:
        if kind == "torch":
            require_torch(f"Running {file.name} in PyTorch")
            from remi_stream.inference.torch import TorchRuntime

            return TorchRuntime(file.network, ensure_model_file(file), **settings)
        if kind == "tensorrt":
            return load_fastest(file, **settings)
        return load_runtime(kind, cached_onnx(file) if file.network else ensure_model_file(file), **settings)


def load_runtime(kind: str, model: Path, **settings: Any) -> Runtime:
    """Load a model file into the runtime of this name; settings are the runtime's, from the manifest and the engine."""
    with _loading:
        if kind == "openvino":
            from remi_stream.inference.openvino import OpenVinoRuntime

            return OpenVinoRuntime(model, **settings)
        if kind == "onnx":
            from remi_stream.inference.onnxruntime import OnnxRuntime

            return OnnxRuntime(model, **settings)
        if kind == "tensorrt":
            return load_fastest(next(file for file in model_files_by_name().values() if model_path(file) == model), **settings)
        raise unknown_name_error("runtime", kind, ["openvino", "onnx", "tensorrt"])


def load_fastest(
    file: ModelFile,
    *,
    precision: Precision = "fp16",
    strict: bool = False,
    threads: int = 1,
    outputs: tuple[str, ...] = (),
) -> Runtime:
    """Load a model's plan; if none fits, load its checkpoint in PyTorch on the GPU, unless strict.

    threads, outputs: accepted as by other runtimes and ignored: a GPU needs no threads, a plan computes all outputs. Raises
    RemiError with the command that fixes the problem.
    """
    gpu = require_gpu(file)
    try:
        return load_plan(*choose_plan(file, precision, gpu))
    except RemiError as error:
        if strict or not file.network:
            raise
        return torch_fallback(file, precision, str(error))


def require_gpu(file: ModelFile) -> Gpu:
    """Return the GPU. Raises RemiError that names the engine that runs without one."""
    try:
        return find_gpu()
    except NoGpuError as error:
        engine = engine_for_model(file.name)
        raise RemiError(f"{engine}-trt needs an NVIDIA GPU, and {error}. Without one: {engine}-ov") from None


def load_plan(folder: Path, manifest: PlanManifest) -> Runtime:
    """Load a plan with the runtime of its backend. Raises RemiError."""
    if manifest.key.backend == "torch_tensorrt":
        return TorchTensorRtRuntime(folder, manifest)
    return load_tensorrt_plan(folder, manifest)


def choose_plan(file: ModelFile, precision: Precision, gpu: Gpu) -> tuple[Path, PlanManifest]:
    """Return the best plan that fits: TensorRT before TensorRT-RTX, larger batches first. Raises RemiError with the remedy."""
    weights = model_sha256(file)
    plans = {folder: plan for folder, plan in list_plans(file).items() if plan.weights_sha256 == weights}
    if not plans:
        raise RemiError(f"There is no plan of {engine_for_model(file.name)} for TensorRT. Build it: {build_command(file.name)}")
    ranked = sorted(plans.items(), key=lambda each: plan_rank(each[1].key, precision, gpu))
    misfits = [misfit_reason(plan.key, precision, gpu) for _, plan in ranked]
    for plan, misfit in zip(ranked, misfits):
        if not misfit:
            return plan
    raise RemiError(misfits[0])


def plan_rank(key: PlanKey, precision: Precision, gpu: Gpu) -> tuple[int, ...]:
    """Return the sort key of a plan: fitting plans first, then the closest mismatch."""
    backends = [*BACKEND_TITLES, "torch_tensorrt"]
    return key.precision != precision, gpu.capability not in key.capabilities, backends.index(key.backend), -key.max_batch


def misfit_reason(key: PlanKey, precision: Precision, gpu: Gpu) -> str:
    """Return why a plan does not run here and the command that builds one that does; empty if it runs."""
    build = build_command(key.model)
    plan = f"The plan of {engine_for_model(key.model)}"
    if key.precision != precision:
        return f"{plan} is {key.precision}, not {precision}. Build it: {build} --precision {precision}"
    if key.system != SYSTEM:
        return f"{plan} is for {key.system}, not for this system. Build it here: {build}"
    if gpu.capability not in key.capabilities:
        built_for, present = format_capabilities(key.capabilities), format_capabilities((gpu.capability,))
        return f"{plan} is for {built_for}, and this GPU ({gpu.name}) is {present}. Build it: {build}"
    try:
        installed = installed_version(key.backend)
    except RemiError as error:
        return f"{plan} is for {key.backend} {key.version}: {error}"
    if installed == key.version:
        return ""
    return f"{plan} is for {key.backend} {key.version}, and {installed} is installed. Build it: {build}"


def format_capabilities(capabilities: tuple[str, ...]) -> str:
    """Format compute capabilities in NVIDIA's notation: sm_89."""
    return ", ".join(f"sm_{capability.replace('.', '')}" for capability in capabilities)


def installed_version(backend: str) -> str:
    """Return the installed version of a backend. Raises RemiError with what to install."""
    if backend in BACKEND_TITLES:
        return find_backend((backend,)).version
    if importlib.util.find_spec(backend) is None:
        raise RemiError("torch-tensorrt is not installed. Install it: pip install torch-tensorrt")
    return importlib.metadata.version(backend.replace("_", "-"))


def torch_fallback(file: ModelFile, precision: Precision, reason: str) -> Runtime:
    """Load the checkpoint in PyTorch on the GPU and warn; the runtime's name mentions the fallback."""

    require_torch(f"Running {file.name} in PyTorch")
    from remi_stream.inference.cuda import TorchCuda
    from remi_stream.inference.torch import TorchGpuRuntime

    TorchCuda()  # raises RemiError if PyTorch sees no GPU
    log.warning(
        "PyTorch runs %s instead of TensorRT, with CUDA graphs (a minute or so to compile). %s",
        engine_for_model(file.name),
        reason,
    )
    try:
        runtime = TorchGpuRuntime(file.network, ensure_model_file(file), precision=precision)
    except RemiError as error:
        log.warning("PyTorch runs it eagerly: %s", error)
        runtime = TorchGpuRuntime(file.network, ensure_model_file(file), precision=precision, compiled=False)
    runtime.name += " (instead of TensorRT)"
    return runtime
