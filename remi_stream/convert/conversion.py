"""Convert a model of the store to a TensorRT plan: ONNX export, parity check, build, parity check of the plan on a GPU."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from remi_stream.convert.onnx_conversion import can_check_parity, convert_to_onnx
from remi_stream.convert.operators import check_onnx_operators
from remi_stream.convert.tensorrt import (
    PlanBuildOptions,
    PlanSignature,
    ProgressCallback,
    build_tensorrt_plan,
    target_capabilities,
)
from remi_stream.errors import RemiError, UsageError
from remi_stream.inference.gpu import Gpu, NoGpuError, find_gpu
from remi_stream.inference.onnx_cache import read_onnx_metadata
from remi_stream.inference.plan import (
    PLAN_FILE,
    PlanKey,
    PlanManifest,
    Precision,
    exclusive_build_folder,
    plan_folder,
    publish_plan,
    read_plan,
)
from remi_stream.inference.tensorrt import TensorRtBackend, find_backend
from remi_stream.install_hint import install_command
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import ensure_model_file, model_sha256, sha256_of
from remi_stream.networks.network import find_network

ConversionRoute = Literal["tensorrt", "torch-tensorrt"]
"""Which compiler builds the plan."""


class ConversionRequest(NamedTuple):
    """Options of a conversion, as given to `remi-stream convert`."""

    precision: Precision | None = None
    """None: FP16, or FP32 for a network without an FP16 version."""
    max_batch: int = 8
    """Largest batch of the plan."""
    capabilities: tuple[str, ...] = ()
    """Compute capabilities of the target GPUs ("8.9"); empty: this machine's GPU."""
    memory_gib: float | None = None
    """Workspace limit of the builder, GiB; None: TensorRT's default."""
    via: ConversionRoute = "tensorrt"
    rebuild: bool = False
    """Rebuild a plan that exists."""


class ConversionResult(NamedTuple):
    """Result of a conversion."""

    path: Path
    """The plan file."""
    manifest: PlanManifest
    is_new: bool
    """Whether the plan was built now."""
    unchecked_reason: str
    """Why the plan was not compared with PyTorch on a GPU; empty if it was."""


def convert_model(file: ModelFile, request: ConversionRequest, on_progress: ProgressCallback) -> ConversionResult:
    """Build the TensorRT plan of a model unless it exists. Raises RemiError; then nothing is kept."""
    gpu, unchecked_reason = find_gpu_or_reason()
    precision = request.precision or default_precision(file)
    backend = choose_backend(request, gpu)
    capabilities = target_capabilities(backend, request.capabilities or ((gpu.capability,) if gpu else ()))
    onnx = source_onnx(file, precision, request.rebuild, on_progress)
    key = PlanKey(file.name, precision, sha256_of(onnx), request.max_batch, backend.name, backend.version, capabilities)
    with exclusive_build_folder(key) as build_folder:
        # read under the lock: another process may have built the plan meanwhile
        existing = read_plan(plan_folder(key))
        if existing and not request.rebuild:
            return ConversionResult(
                plan_folder(key) / PLAN_FILE, existing, False, "" if existing.plan_parity else "it was built without a GPU"
            )
        start = time.perf_counter()
        signature = build_with_backend(backend, file, onnx, build_folder / PLAN_FILE, key, request.memory_gib, on_progress)
        seconds = round(time.perf_counter() - start, 1)
        metadata = read_onnx_metadata(file, precision) if file.network else None
        manifest = PlanManifest(
            key=key,
            weights_sha256=model_sha256(file),
            inputs=signature.inputs,
            outputs=signature.outputs,
            bytes=(build_folder / PLAN_FILE).stat().st_size,
            build_s=seconds,
            onnx_parity=metadata.parity if metadata else {},
        )
        if not unchecked_reason:
            unchecked_reason = parity_unavailable_reason(file, gpu, key)
        if not unchecked_reason:
            manifest = check_plan_parity(file, build_folder, manifest)
        return ConversionResult(publish_plan(build_folder, manifest) / PLAN_FILE, manifest, True, unchecked_reason)


def find_gpu_or_reason() -> tuple[Gpu | None, str]:
    """Return the GPU, or None with the reason."""
    try:
        return find_gpu(), ""
    except NoGpuError as error:
        return None, str(error)


def default_precision(file: ModelFile) -> Precision:
    """Return the default precision of a model: FP16 for a network with an image backbone, else FP32."""
    return "fp16" if file.network and find_network(file.network).image else "fp32"


def choose_backend(request: ConversionRequest, gpu: Gpu | None) -> TensorRtBackend:
    """Choose the backend that builds the plan. Only TensorRT-RTX builds without a GPU or for other GPUs. Raises RemiError."""
    if request.via == "torch-tensorrt":
        from remi_stream.convert.torch_tensorrt import find_torch_tensorrt

        if gpu is None:
            raise RemiError("torch-tensorrt builds on the GPU that it builds for, and there is none here. Use --via tensorrt")
        return find_torch_tensorrt()
    only_this_gpu = gpu is not None and request.capabilities in ((), (gpu.capability,))
    return find_backend(("tensorrt", "tensorrt_rtx") if only_this_gpu else ("tensorrt_rtx",))


def source_onnx(file: ModelFile, precision: Precision, rebuild: bool, on_progress: ProgressCallback) -> Path:
    """Return the ONNX to build from: exported from a checkpoint, or the imported ONNX file itself."""
    if file.network:
        if not can_check_parity():
            raise RemiError(f"A plan is compared with PyTorch in ONNX Runtime, which is missing: {install_command('onnx')}")
        on_progress("Exporting and comparing ONNX", 0, 1)
        metadata = read_onnx_metadata(file, precision)
        # an ONNX without distances was exported where ONNX Runtime was missing
        return convert_to_onnx(file, precision, rebuild or metadata is None or not metadata.parity)
    if precision == "fp16":
        raise UsageError(
            f"{file.file} is an ONNX file that is used unchanged; it cannot be converted to FP16 here. Use --precision fp32"
        )
    return ensure_model_file(file)


def build_with_backend(
    backend: TensorRtBackend,
    file: ModelFile,
    onnx: Path,
    plan: Path,
    key: PlanKey,
    memory_gib: float | None,
    on_progress: ProgressCallback,
) -> PlanSignature:
    """Build a plan with its backend and return its inputs and outputs."""
    if backend.name == "torch_tensorrt":
        from remi_stream.convert.torch_tensorrt import build_torch_tensorrt_plan

        return build_torch_tensorrt_plan(backend, file.network, ensure_model_file(file), plan, key.precision, key.max_batch)
    check_onnx_operators(onnx)
    # FP32 is for full precision, so it is without TF32
    options = PlanBuildOptions(key.max_batch, key.capabilities, tf32=key.precision == "fp16", memory_gib=memory_gib)
    return build_tensorrt_plan(backend, onnx, plan, options, on_progress)


def parity_unavailable_reason(file: ModelFile, gpu: Gpu | None, key: PlanKey) -> str:
    """Return why a plan cannot be compared with PyTorch on this machine's GPU; empty if it can."""
    if not file.network:
        return "there is no PyTorch network to compare it with"
    if gpu and gpu.capability not in key.capabilities:
        return f"it is for another GPU than the {gpu.name} here"
    return ""


def check_plan_parity(file: ModelFile, build_folder: Path, manifest: PlanManifest) -> PlanManifest:
    """Check a plan's parity with PyTorch and return its manifest with the distances. Raises RemiError with the worst joints."""
    from remi_stream.convert.parity import check_runtime_parity
    from remi_stream.inference.load import load_plan

    subject = f"The {manifest.key.precision.upper()} plan of {file.file}"
    runtime = load_plan(build_folder, manifest)
    parity = check_runtime_parity(file.network, subject, runtime.run, ensure_model_file(file), manifest.key.precision)
    return msgspec.structs.replace(manifest, plan_parity=parity)
