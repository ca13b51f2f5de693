"""The fastest thing that runs a network on this machine's GPU: a plan, or else PyTorch, and then it is said why."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from remi_stream.convert.plan import SYSTEM, PlanKey, PlanManifest, Precision, command, engine_of, list_plans
from remi_stream.errors import RemiError
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import hash_of, model_file
from remi_stream.runtimes.backend import BACKENDS, find_backend
from remi_stream.runtimes.gpu import Gpu, NoGpuError, find_gpu

if TYPE_CHECKING:
    from remi_stream.runtimes.runtime import Runtime

log = logging.getLogger(__name__)


def open_fastest(
    file: ModelFile,
    *,
    precision: Precision = "fp16",
    strict: bool = False,
    threads: int = 1,
    outputs: tuple[str, ...] = (),
) -> Runtime:
    """Load a model's plan; without one that fits, its checkpoint in PyTorch on the GPU, unless strict.

    threads, outputs: as for other runtimes; a GPU needs no threads, and a plan gives all of its outputs. Raises RemiError
    with the command that mends it.
    """
    gpu = require_gpu(file)
    try:
        return load(*choose(file, precision, gpu))
    except RemiError as error:
        if strict or not file.network:
            raise
        return instead(file, precision, str(error))


def require_gpu(file: ModelFile) -> Gpu:
    """The GPU. Raises RemiError that names what runs without one."""
    try:
        return find_gpu()
    except NoGpuError as error:
        engine = engine_of(file.name)
        raise RemiError(f"{engine}-trt needs an NVIDIA GPU, and {error}. Without one: {engine}-ov") from None


def load(folder: Path, manifest: PlanManifest) -> Runtime:
    """Load a plan that fits this machine. Raises RemiError."""
    if manifest.key.backend == "torch_tensorrt":
        from remi_stream.runtimes.exported import Exported

        return Exported(folder, manifest)
    from remi_stream.runtimes.tensorrt import load_plan

    return load_plan(folder, manifest)


def choose(file: ModelFile, precision: Precision, gpu: Gpu) -> tuple[Path, PlanManifest]:
    """The plan that fits, TensorRT's before TensorRT-RTX's, the larger batch first. Raises RemiError that says what to do."""
    weights = hash_of(file)
    plans = {folder: plan for folder, plan in list_plans(file).items() if plan.weights_sha256 == weights}
    if not plans:
        raise RemiError(f"There is no plan of {engine_of(file.name)} for TensorRT. Build it: {command(file.name)}")
    ranked = sorted(plans.items(), key=lambda each: rank(each[1].key, precision, gpu))
    faults = [misfit(plan.key, precision, gpu) for _, plan in ranked]
    for plan, fault in zip(ranked, faults):
        if not fault:
            return plan
    raise RemiError(faults[0])


def rank(key: PlanKey, precision: Precision, gpu: Gpu) -> tuple[int, ...]:
    """Plans that fit come first; of those that do not, the nearest."""
    backends = [*BACKENDS, "torch_tensorrt"]
    return key.precision != precision, gpu.capability not in key.capabilities, backends.index(key.backend), -key.max_batch


def misfit(key: PlanKey, precision: Precision, gpu: Gpu) -> str:
    """Why a plan does not run here, and the command that builds one that does; nothing if it runs."""
    build = command(key.model)
    plan = f"The plan of {engine_of(key.model)}"
    if key.precision != precision:
        return f"{plan} is {key.precision}, not {precision}. Build it: {build} --precision {precision}"
    if key.system != SYSTEM:
        return f"{plan} is for {key.system}, not for this system. Build it here: {build}"
    if gpu.capability not in key.capabilities:
        return (
            f"{plan} is for {named(key.capabilities)}, and this GPU ({gpu.name}) is {named((gpu.capability,))}. Build it: {build}"
        )
    try:
        here = version_here(key.backend)
    except RemiError as error:
        return f"{plan} is for {key.backend} {key.version}: {error}"
    return "" if here == key.version else f"{plan} is for {key.backend} {key.version}, and here is {here}. Build it: {build}"


def named(capabilities: tuple[str, ...]) -> str:
    """Compute capabilities as NVIDIA names them: sm_89."""
    return ", ".join(f"sm_{capability.replace('.', '')}" for capability in capabilities)


def version_here(backend: str) -> str:
    """The version of a backend that is installed. Raises RemiError with what to install."""
    if backend in BACKENDS:
        return find_backend((backend,)).version
    if importlib.util.find_spec(backend) is None:
        raise RemiError("torch-tensorrt is not installed. Install it: pip install torch-tensorrt")
    return importlib.metadata.version(backend.replace("_", "-"))


def instead(file: ModelFile, precision: Precision, why: str) -> Runtime:
    """The checkpoint in PyTorch on the GPU, and a warning; the runtime's name says it too."""
    from remi_stream.runtimes.runtime import require_torch

    require_torch(file)
    from remi_stream.runtimes.cuda import TorchCuda
    from remi_stream.runtimes.graphs import Graphs

    TorchCuda()  # says why PyTorch sees no GPU
    log.warning(
        "PyTorch runs %s instead of TensorRT, with CUDA graphs (a minute or so to compile). %s", engine_of(file.name), why
    )
    try:
        runtime = Graphs(file.network, model_file(file), precision=precision)
    except RemiError as error:
        log.warning("PyTorch runs it eagerly: %s", error)
        runtime = Graphs(file.network, model_file(file), precision=precision, compiled=False)
    runtime.name += " (instead of TensorRT)"
    return runtime
