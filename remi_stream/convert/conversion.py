"""From a model of the store to a plan that can be trusted: ONNX, its proof, the plan, and its proof where a GPU is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from remi_stream.convert import artefact
from remi_stream.convert.denylist import check_graph
from remi_stream.convert.gate import can_prove
from remi_stream.convert.plan import (
    PLAN,
    PlanKey,
    PlanManifest,
    Precision,
    built_by_us_alone,
    plan_folder,
    publish,
    read_plan,
)
from remi_stream.convert.tensorrt import Order, Ports, Progress, build, capabilities_of
from remi_stream.errors import RemiError, UsageError
from remi_stream.models.manifest import ModelFile
from remi_stream.models.record import sha256_of
from remi_stream.models.store import hash_of, model_file
from remi_stream.networks.network import find_network
from remi_stream.runtimes.backend import Backend, find_backend
from remi_stream.runtimes.gpu import Gpu, NoGpuError, find_gpu

Via = Literal["tensorrt", "torch-tensorrt"]


class Wish(NamedTuple):
    """What the user asks for. precision None: FP16, or FP32 for a network that has no FP16. again: even if it is there."""

    precision: Precision | None = None
    max_batch: int = 8
    capabilities: tuple[str, ...] = ()
    memory_gib: float | None = None
    via: Via = "tensorrt"
    again: bool = False


class Converted(NamedTuple):
    """A plan that is there. made: now. unchecked: why no GPU has compared it with PyTorch; nothing if one has."""

    path: Path
    manifest: PlanManifest
    made: bool
    unchecked: str


def convert(file: ModelFile, wish: Wish, tell: Progress) -> Converted:
    """Make the plan of a model, unless it is there. Raises RemiError; then nothing is kept."""
    gpu, why_none = gpu_or_reason()
    precision = wish.precision or best_precision(file)
    backend = backend_for(wish, gpu)
    capabilities = capabilities_of(backend, wish.capabilities or ((gpu.capability,) if gpu else ()))
    onnx = onnx_of(file, precision, wish.again, tell)
    key = PlanKey(file.name, precision, sha256_of(onnx), wish.max_batch, backend.name, backend.version, capabilities)
    with built_by_us_alone(key) as making:
        there = read_plan(plan_folder(key))
        if there and not wish.again:
            return Converted(plan_folder(key) / PLAN, there, False, "" if there.plan_parity else "it was built without a GPU")
        start = time.perf_counter()
        ports = built(backend, file, onnx, making / PLAN, key, wish.memory_gib, tell)
        seconds = round(time.perf_counter() - start, 1)
        known = artefact.made(file, precision) if file.network else None
        manifest = PlanManifest(
            key=key,
            weights_sha256=hash_of(file),
            inputs=ports.inputs,
            outputs=ports.outputs,
            bytes=(making / PLAN).stat().st_size,
            build_s=seconds,
            onnx_parity=known.parity if known else {},
        )
        if not why_none:
            why_none = unprovable(file, gpu, key)
        if not why_none:
            manifest = proved(file, making, manifest)
        return Converted(publish(making, manifest) / PLAN, manifest, True, why_none)


def gpu_or_reason() -> tuple[Gpu | None, str]:
    """The GPU, or why there is none."""
    try:
        return find_gpu(), ""
    except NoGpuError as error:
        return None, str(error)


def best_precision(file: ModelFile) -> Precision:
    """What a model is converted to if nobody says: FP16 where there is a backbone that can run in it."""
    return "fp16" if file.network and find_network(file.network).picture else "fp32"


def backend_for(wish: Wish, gpu: Gpu | None) -> Backend:
    """Who builds. Only TensorRT-RTX does without a GPU, or for another GPU than this one. Raises RemiError."""
    if wish.via == "torch-tensorrt":
        from remi_stream.convert.torch_tensorrt import find_torch_tensorrt

        if gpu is None:
            raise RemiError("torch-tensorrt builds on the GPU that it builds for, and there is none here. Use --via tensorrt")
        return find_torch_tensorrt()
    at_home = gpu is not None and wish.capabilities in ((), (gpu.capability,))
    return find_backend(("tensorrt", "tensorrt_rtx") if at_home else ("tensorrt_rtx",))


def onnx_of(file: ModelFile, precision: Precision, again: bool, tell: Progress) -> Path:
    """The ONNX to build from: made of a checkpoint, or as it was brought."""
    if file.network:
        if not can_prove():
            raise RemiError("A plan is compared with PyTorch in ONNX Runtime, which is missing: pip install 'remi-stream[onnx]'")
        tell("Exporting and comparing ONNX", 0, 1)
        known = artefact.made(file, precision)
        return artefact.convert(file, precision, again or known is None or not known.parity)
    if precision == "fp16":
        raise UsageError(f"{file.file} is an ONNX that is taken as it is; it cannot be made FP16 here. Use --precision fp32")
    return model_file(file)


def built(
    backend: Backend, file: ModelFile, onnx: Path, plan: Path, key: PlanKey, memory_gib: float | None, tell: Progress
) -> Ports:
    """Build a plan in its backend's way."""
    if backend.name == "torch_tensorrt":
        from remi_stream.convert.torch_tensorrt import build_program

        return build_program(backend, file.network, model_file(file), plan, key.precision, key.max_batch)
    check_graph(onnx)
    order = Order(key.max_batch, key.capabilities, tf32=key.precision == "fp16", memory_gib=memory_gib)
    return build(backend, onnx, plan, order, tell)


def unprovable(file: ModelFile, gpu: Gpu | None, key: PlanKey) -> str:
    """Why a plan cannot be compared with PyTorch on this machine's GPU, if it cannot."""
    if not file.network:
        return "there is no PyTorch network to compare it with"
    if gpu and gpu.capability not in key.capabilities:
        return f"it is for another GPU than the {gpu.name} here"
    return ""


def proved(file: ModelFile, making: Path, manifest: PlanManifest) -> PlanManifest:
    """The manifest with the plan's distances from PyTorch. Raises RemiError that names the worst joints."""
    from remi_stream.convert.gate import prove_runtime
    from remi_stream.runtimes.fastest import load

    what = f"The {manifest.key.precision.upper()} plan of {file.file}"
    runtime = load(making, manifest)
    parity = prove_runtime(file.network, what, runtime.run, model_file(file), manifest.key.precision)
    return msgspec.structs.replace(manifest, plan_parity=parity)
