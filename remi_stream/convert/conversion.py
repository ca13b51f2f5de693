"""Convert a model of the store to a TensorRT plan: ONNX export, parity check, build, parity check of the plan on a GPU."""

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
"""Which compiler builds the plan."""


class Wish(NamedTuple):
    """Options of a conversion, as given to `remi-stream convert`."""

    precision: Precision | None = None
    """None: FP16, or FP32 for a network without an FP16 version."""
    max_batch: int = 8
    """Largest batch of the plan."""
    capabilities: tuple[str, ...] = ()
    """Compute capabilities of the target GPUs ("8.9"); empty: this machine's GPU."""
    memory_gib: float | None = None
    """Workspace limit of the builder, GiB; None: TensorRT's default."""
    via: Via = "tensorrt"
    again: bool = False
    """Rebuild a plan that exists."""


class Converted(NamedTuple):
    """Result of a conversion."""

    path: Path
    """The plan file."""
    manifest: PlanManifest
    made: bool
    """Whether the plan was built now."""
    unchecked: str
    """Why the plan was not compared with PyTorch on a GPU; empty if it was."""


def convert(file: ModelFile, wish: Wish, tell: Progress) -> Converted:
    """Build the TensorRT plan of a model unless it exists. Raises RemiError; then nothing is kept."""
    gpu, unchecked_reason = gpu_or_reason()
    precision = wish.precision or best_precision(file)
    backend = backend_for(wish, gpu)
    capabilities = capabilities_of(backend, wish.capabilities or ((gpu.capability,) if gpu else ()))
    onnx = onnx_of(file, precision, wish.again, tell)
    key = PlanKey(file.name, precision, sha256_of(onnx), wish.max_batch, backend.name, backend.version, capabilities)
    with built_by_us_alone(key) as build_folder:
        existing = read_plan(plan_folder(key))
        if existing and not wish.again:
            return Converted(
                plan_folder(key) / PLAN, existing, False, "" if existing.plan_parity else "it was built without a GPU"
            )
        start = time.perf_counter()
        signature = built(backend, file, onnx, build_folder / PLAN, key, wish.memory_gib, tell)
        seconds = round(time.perf_counter() - start, 1)
        metadata = artefact.made(file, precision) if file.network else None
        manifest = PlanManifest(
            key=key,
            weights_sha256=hash_of(file),
            inputs=signature.inputs,
            outputs=signature.outputs,
            bytes=(build_folder / PLAN).stat().st_size,
            build_s=seconds,
            onnx_parity=metadata.parity if metadata else {},
        )
        if not unchecked_reason:
            unchecked_reason = unprovable(file, gpu, key)
        if not unchecked_reason:
            manifest = proved(file, build_folder, manifest)
        return Converted(publish(build_folder, manifest) / PLAN, manifest, True, unchecked_reason)


def gpu_or_reason() -> tuple[Gpu | None, str]:
    """Return the GPU, or None with the reason."""
    try:
        return find_gpu(), ""
    except NoGpuError as error:
        return None, str(error)


def best_precision(file: ModelFile) -> Precision:
    """Return the default precision of a model: FP16 for a network with an image backbone, else FP32."""
    return "fp16" if file.network and find_network(file.network).picture else "fp32"


def backend_for(wish: Wish, gpu: Gpu | None) -> Backend:
    """Choose the backend that builds the plan. Only TensorRT-RTX builds without a GPU or for other GPUs. Raises RemiError."""
    if wish.via == "torch-tensorrt":
        from remi_stream.convert.torch_tensorrt import find_torch_tensorrt

        if gpu is None:
            raise RemiError("torch-tensorrt builds on the GPU that it builds for, and there is none here. Use --via tensorrt")
        return find_torch_tensorrt()
    only_this_gpu = gpu is not None and wish.capabilities in ((), (gpu.capability,))
    return find_backend(("tensorrt", "tensorrt_rtx") if only_this_gpu else ("tensorrt_rtx",))


def onnx_of(file: ModelFile, precision: Precision, again: bool, tell: Progress) -> Path:
    """Return the ONNX to build from: exported from a checkpoint, or the imported ONNX file itself."""
    if file.network:
        if not can_prove():
            raise RemiError("A plan is compared with PyTorch in ONNX Runtime, which is missing: pip install 'remi-stream[onnx]'")
        tell("Exporting and comparing ONNX", 0, 1)
        metadata = artefact.made(file, precision)
        return artefact.convert(file, precision, again or metadata is None or not metadata.parity)
    if precision == "fp16":
        raise UsageError(
            f"{file.file} is an ONNX file that is used unchanged; it cannot be converted to FP16 here. Use --precision fp32"
        )
    return model_file(file)


def built(
    backend: Backend, file: ModelFile, onnx: Path, plan: Path, key: PlanKey, memory_gib: float | None, tell: Progress
) -> Ports:
    """Build a plan with its backend and return its inputs and outputs."""
    if backend.name == "torch_tensorrt":
        from remi_stream.convert.torch_tensorrt import build_program

        return build_program(backend, file.network, model_file(file), plan, key.precision, key.max_batch)
    check_graph(onnx)
    order = Order(key.max_batch, key.capabilities, tf32=key.precision == "fp16", memory_gib=memory_gib)
    return build(backend, onnx, plan, order, tell)


def unprovable(file: ModelFile, gpu: Gpu | None, key: PlanKey) -> str:
    """Return why a plan cannot be compared with PyTorch on this machine's GPU; empty if it can."""
    if not file.network:
        return "there is no PyTorch network to compare it with"
    if gpu and gpu.capability not in key.capabilities:
        return f"it is for another GPU than the {gpu.name} here"
    return ""


def proved(file: ModelFile, making: Path, manifest: PlanManifest) -> PlanManifest:
    """Check a plan's parity with PyTorch and return its manifest with the distances. Raises RemiError with the worst joints."""
    from remi_stream.convert.gate import prove_runtime
    from remi_stream.runtimes.fastest import load

    subject = f"The {manifest.key.precision.upper()} plan of {file.file}"
    runtime = load(making, manifest)
    parity = prove_runtime(file.network, subject, runtime.run, model_file(file), manifest.key.precision)
    return msgspec.structs.replace(manifest, plan_parity=parity)
