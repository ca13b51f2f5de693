"""`bench ENGINE --runtimes` and `bench ENGINE-trt`: one network in several runtimes, compared with PyTorch."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from remi_stream.cli.console import plain_table, table_console
from remi_stream.errors import UsageError
from remi_stream.geometry import axis_angle_from_matrices
from remi_stream.inference.runtime_benchmark import BenchmarkResult, BenchmarkRuntime, benchmark_runtimes
from remi_stream.models.manifest import Manifest, ModelFile, list_manifests

DEFAULT_THREADS = 2
"""For every CPU runtime alike, so that their times can be compared."""
TENSORRT_SUFFIX = "-trt"
GPU_BATCH_SIZES = (1, 4, 8)
"""Up to the largest batch that `convert` builds a plan for by default."""


def bench_network(name: str, threads: int | None, as_json: bool) -> None:
    """Time the network of an engine or a detector in each runtime, in one process, and compare the outputs."""
    manifest = find_network(name)
    file = manifest.weights[0]
    on_gpu = name.endswith(TENSORRT_SUFFIX)
    runtimes = gpu_runtimes(file) if on_gpu else cpu_runtimes(file, threads or DEFAULT_THREADS, quiet=as_json)
    for batch in GPU_BATCH_SIZES if on_gpu else (1,):
        outcomes = benchmark_runtimes(file, runtimes, batch=batch)
        rows = [outcome_statistics(outcome, outcomes[0], batch) for outcome in outcomes]
        if as_json:
            print(json.dumps({"network": file.network, "batch": batch, "runtimes": rows}))
        else:
            print_runtime_table(f"{file.network}, batch {batch}, by {clock_names(outcomes)}", rows)


def clock_names(outcomes: list[BenchmarkResult]) -> str:
    """Names of the clocks that timed the outcomes."""
    return " and ".join(sorted({outcome.clock for outcome in outcomes}))


def cpu_runtimes(file: ModelFile, threads: int, quiet: bool) -> list[BenchmarkRuntime]:
    """PyTorch eager, and OpenVINO in each precision that the CPU supports."""
    from remi_stream.convert.onnx_conversion import convert_missing

    convert_missing([file], on_message=lambda line: None if quiet else print(line))
    eager = BenchmarkRuntime("torch", {"threads": threads, "device": "cpu"})
    return [
        eager,
        *(BenchmarkRuntime("openvino", {"threads": threads, "precision": precision}) for precision in openvino_precisions()),
    ]


def gpu_runtimes(file: ModelFile) -> list[BenchmarkRuntime]:
    """PyTorch eager, PyTorch with CUDA graphs, and the TensorRT plan, which must exist. Raises RemiError without a GPU."""
    from remi_stream.inference.load import require_gpu

    require_gpu(file)
    return [
        BenchmarkRuntime("torch", {"device": "cuda"}),
        BenchmarkRuntime("graphs", {"precision": "fp16"}),
        BenchmarkRuntime("tensorrt", {"strict": True}),
    ]


def find_network(name: str) -> Manifest:
    """Manifest of an engine or detector whose network also runs in PyTorch. Raises UsageError."""
    candidates = [manifest for manifest in list_manifests() if manifest.weights and manifest.weights[0].network]
    for manifest in candidates:
        if manifest.name in (name, name.rpartition("-")[0]):
            return manifest
    known = ", ".join(manifest.name for manifest in candidates)
    raise UsageError(f"'{name}' has no network that also runs in PyTorch, so there is nothing to compare. Choose from: {known}")


def openvino_precisions() -> list[str]:
    """OpenVINO precisions to time on this CPU."""
    from remi_stream.inference.openvino import has_bf16

    return ["f32", "bf16"] if has_bf16() else ["f32"]


def outcome_statistics(outcome: BenchmarkResult, reference: BenchmarkResult, batch: int = 1) -> dict[str, Any]:
    """Percentiles (ms), rows per second, speed-up over the reference (ratio of medians), and the output error."""
    p50, p95, p99 = np.percentile(outcome.times_ms, [50, 95, 99])
    return {
        "runtime": outcome.name,
        "clock": outcome.clock,
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "p99_ms": round(float(p99), 2),
        "per_second": round(batch * 1000 / float(p50), 1),
        "speedup": round(float(np.median(reference.times_ms) / p50), 2),
        "error": output_errors(outcome, reference),
    }


def output_errors(outcome: BenchmarkResult, reference: BenchmarkResult) -> dict[str, float]:
    """Error per output: rotations in degrees (median, maximum), others as RMS over the reference's standard deviation."""
    errors: dict[str, float] = {}
    for name in reference.outputs[0]:
        ours, theirs = (np.stack([row[name] for row in each.outputs]).astype(np.float64) for each in (outcome, reference))
        if name == "rotations":
            angles = np.degrees(np.linalg.norm(axis_angle_from_matrices(ours @ theirs.swapaxes(-1, -2)), axis=-1))
            errors |= {"rotations_median_deg": float(np.median(angles)), "rotations_max_deg": float(angles.max())}
        else:
            errors[name] = float(np.sqrt(((ours - theirs) ** 2).mean()) / max(theirs.std(), 1e-9))
    return {name: float(f"{value:.3g}") for name, value in errors.items()}


def print_runtime_table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print the times, then the error of each runtime against the first one."""
    table = plain_table("runtime", "p50 ms", "p95 ms", "p99 ms", "per second", "speed-up", title=title)
    for row in rows:
        times = [f"{row[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms", "per_second")]
        table.add_row(row["runtime"], *times, f"{row['speedup']:.2f}")
    console = table_console()
    console.print(table)
    for row in rows[1:]:
        differs = ", ".join(f"{name} {value:g}" for name, value in row["error"].items())
        console.print(f"{row['runtime']} differs by: {differs}", soft_wrap=True, highlight=False)
