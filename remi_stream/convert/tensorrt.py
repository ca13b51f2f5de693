"""Build a plan from ONNX with TensorRT or TensorRT-RTX: strongly typed network, batches of 1 to max_batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError, UsageError
from remi_stream.inference.plan import TensorSpec
from remi_stream.inference.tensorrt import TensorRtBackend, make_error_logger, one_line, read_cache, save_cache
from remi_stream.install_hint import install_command
from remi_stream.paths import user_data_folder

ProgressCallback = Callable[[str, int, int], None]
"""Called with the build phase, its completed steps and its total steps."""
MIN_PORTABLE_CAPABILITY = "8.0"
"""Oldest default compute capability of a portable plan; for Turing (7.5) TensorRT-RTX refuses the heads' FP32 products."""
GIB = 1 << 30


class PlanBuildOptions(NamedTuple):
    """Options of a plan build."""

    max_batch: int
    capabilities: tuple[str, ...]
    """Compute capabilities of the target GPUs ("8.9")."""
    tf32: bool
    """Whether FP32 products may be rounded to TF32."""
    memory_gib: float | None = None
    """Workspace limit of the builder, GiB; None: TensorRT's default."""


class PlanSignature(NamedTuple):
    """Signature of a plan: its input and output tensors."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]


def build_tensorrt_plan(
    backend: TensorRtBackend, onnx: Path, plan: Path, options: PlanBuildOptions, on_progress: ProgressCallback
) -> PlanSignature:
    """Build the plan of an ONNX file. Raises RemiError with TensorRT's message."""
    trt = backend.module
    log = make_error_logger(trt)
    builder = trt.Builder(log)
    # TensorRT 11 has no other kind of network: the precision is in the graph
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parse_onnx(trt, network, log, onnx)
    config = builder.create_builder_config()
    configure_builder(backend, config, options)
    config.add_optimization_profile(batch_profile(builder, network, options.max_batch))
    monitor = make_progress_monitor(trt, on_progress)
    config.progress_monitor = monitor
    with timing_cache(backend, config, options):
        built = builder.build_serialized_network(network, config)
    if monitor.interrupted:
        raise KeyboardInterrupt
    if built is None:
        raise RemiError(f"{backend.title} cannot build {onnx.name}: {log.reason()}")
    plan.write_bytes(built)
    return network_signature(trt, network)


def parse_onnx(trt: Any, network: Any, log: Any, onnx: Path) -> None:
    """Parse an ONNX file into the network. Raises RemiError with the parser's errors."""
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        faults = [parser.get_error(index) for index in range(parser.num_errors)]
        errors = "; ".join(f"{fault.node_operator()} ({fault.node_name()}): {one_line(fault.desc())}" for fault in faults)
        raise RemiError(f"TensorRT cannot read {onnx.name}: {errors or log.reason()}")


def configure_builder(backend: TensorRtBackend, config: Any, options: PlanBuildOptions) -> None:
    """Set TF32, the workspace limit and the target architectures of the builder."""
    trt = backend.module
    (config.set_flag if options.tf32 else config.clear_flag)(trt.BuilderFlag.TF32)
    if options.memory_gib:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(options.memory_gib * GIB))
    if backend.name == "tensorrt_rtx":
        config.num_compute_capabilities = len(options.capabilities)
        for index, capability in enumerate(options.capabilities):
            config.set_compute_capability(trt.ComputeCapability.__members__[architecture_name(capability)], index)


def batch_profile(builder: Any, network: Any, max_batch: int) -> Any:
    """Make the optimisation profile: batches of 1 to max_batch, optimised for 1; a fixed batch stays fixed."""
    result = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        port = network.get_input(index)
        first, *rest = port.shape
        least, most = (1, max_batch) if first < 0 else (first, first)
        result.set_shape(port.name, (least, *rest), (least, *rest), (most, *rest))
    return result


def network_signature(trt: Any, network: Any) -> PlanSignature:
    """Return the inputs and outputs of a parsed network."""

    def port(tensor: Any) -> TensorSpec:
        return TensorSpec(tensor.name, tuple(int(size) for size in tensor.shape), trt.nptype(tensor.dtype).__name__)

    inputs = [port(network.get_input(index)) for index in range(network.num_inputs)]
    return PlanSignature(inputs, [port(network.get_output(index)) for index in range(network.num_outputs)])


def architecture_name(capability: str) -> str:
    """Return TensorRT-RTX's name of a compute capability: SM89 for 8.9."""
    return f"SM{capability.replace('.', '')}"


def target_capabilities(backend: TensorRtBackend, requested: tuple[str, ...]) -> tuple[str, ...]:
    """Return the target compute capabilities: the requested ones, or all that the backend supports. Raises UsageError."""
    if backend.name != "tensorrt_rtx":
        return requested
    members = backend.module.ComputeCapability.__members__
    known = sorted((f"{name[2:-1]}.{name[-1]}" for name in members if name.startswith("SM")), key=float)
    for capability in requested:
        if capability not in known:
            raise UsageError(
                f"{backend.title} does not build for compute capability {capability} (it builds for {', '.join(known)}). "
                f"TensorRT itself does: {install_command('torch', 'trt')}"
            )
    return tuple(sorted(set(requested), key=float)) or tuple(
        each for each in known if float(each) >= float(MIN_PORTABLE_CAPABILITY)
    )


class timing_cache:  # noqa: N801
    """Context manager that loads and saves TensorRT's timing cache. TensorRT-RTX has none."""

    def __init__(self, backend: TensorRtBackend, config: Any, options: PlanBuildOptions) -> None:
        gpus = "+".join(options.capabilities)
        self._path = user_data_folder() / "cache" / "timing" / f"{backend.name}-{backend.version}-{gpus}.cache"
        self._config = config if backend.name == "tensorrt" else None

    def __enter__(self) -> None:
        if self._config:
            self._config.set_timing_cache(self._config.create_timing_cache(read_cache(self._path)), False)

    def __exit__(self, failed: object, *_: object) -> None:
        if self._config and not failed:
            save_cache(self._path, self._config.get_timing_cache().serialize())


def make_progress_monitor(trt: Any, on_progress: ProgressCallback) -> Any:
    """Make a TensorRT progress monitor that calls back after each step; Ctrl+C ends the build at the next step."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.interrupted = False
            self._phases: dict[str, tuple[int, int]] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self._phases[phase] = (0, steps)
            self._report(phase)

        def step_complete(self, phase: str, step: int) -> bool:
            self._phases[phase] = (step + 1, self._phases[phase][1])
            self._report(phase)
            return not self.interrupted

        def phase_finish(self, phase: str) -> None:
            self._phases.pop(phase, None)

        def _report(self, phase: str) -> None:
            try:
                on_progress(phase, *self._phases[phase])
            except KeyboardInterrupt:  # it must not pass through TensorRT
                self.interrupted = True

    return Monitor()
