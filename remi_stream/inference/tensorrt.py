"""TensorRT as an inference runtime, through the Python modules `tensorrt` and `tensorrt_rtx`, which share one API.

Only this file imports them. Plans of torch-tensorrt are run by PyTorch.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.inference.cuda import CudaDevice, GpuOutOfMemoryError, TorchCuda, TransferBuffer, cuda_time_ms
from remi_stream.inference.plan import PLAN_FILE, PlanManifest, TensorSpec, build_command
from remi_stream.inference.runtime import RuntimeTensors
from remi_stream.install_hint import install_command
from remi_stream.paths import user_data_folder

log = logging.getLogger(__name__)

BACKEND_TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}
"""Module name -> title. TensorRT-RTX builds without a GPU, and for several GPU architectures at once."""


class TensorRtBackend(NamedTuple):
    """An imported TensorRT module."""

    name: str
    """Module name: "tensorrt_rtx"."""
    module: Any
    version: str
    """Complete version: "1.7.1.116"."""

    @property
    def title(self) -> str:
        """Title with version: "TensorRT-RTX 1.7.1.116"."""
        return f"{BACKEND_TITLES[self.name]} {self.version}"


class NoBackendError(RemiError):
    """No TensorRT module can be imported; the message says why."""


def find_backend(names: tuple[str, ...] = tuple(BACKEND_TITLES)) -> TensorRtBackend:
    """Return the first of these modules that imports. Raises NoBackendError with the import errors."""
    faults = []
    for name in names:
        if importlib.util.find_spec(name) is None:
            continue
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:  # a missing libnvinfer.so shows as any of them
            faults.append(f"{name} does not start: {str(error).partition(chr(10))[0] or type(error).__name__}")
            continue
        if hasattr(module, "Builder") or hasattr(module, "Runtime"):
            return TensorRtBackend(name, module, module.__version__)
        faults.append(f"{name} is a stub without TensorRT in it, from the wrong index")
    why = "; ".join(faults) or f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} not installed"
    install = install_command("torch", "rtx")
    raise NoBackendError(f"{why}. Install it: {install} (GeForce and RTX), or [torch,trt] from NVIDIA's index (any GPU)")


def make_error_logger(trt: Any) -> Any:
    """Make a TensorRT logger that keeps errors; `reason()` returns the first one as a single line."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._faults: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self._faults.append(one_line(message))

        def reason(self) -> str:
            return self._faults[0] if self._faults else "no reason was logged"

    return Log()


def one_line(text: str) -> str:
    """Return a message with its line breaks replaced by spaces."""
    return " ".join(text.split())


class TensorRtRuntime:
    """A loaded plan: one execution context and CUDA graph per batch size, with shared device memory, on one stream.

    Larger batches than the plan's are split. Inputs and outputs are in pinned memory; the next call overwrites them.
    """

    def __init__(self, plan: bytes, manifest: PlanManifest, backend: TensorRtBackend, cuda: CudaDevice) -> None:
        key = manifest.key
        self.name = f"{backend.title} {key.precision}, batches of 1 to {key.max_batch}"
        self.crop, self.time_ms = cuda.crop, cuda.time_ms
        self._runtime, self._engine = deserialise_engine(plan, backend, key.model)
        first = manifest.inputs[0].shape[0]
        sizes = range(1, key.max_batch + 1) if first < 0 else (first,)
        try:
            cache = KernelCache(backend, self._engine)
            # one workspace for all contexts: they never run at the same time
            workspace = cuda.allocate(self._engine.device_memory_size_v2)
            self._batches = {size: BatchContext(cache.create_context(), workspace, manifest, cuda, size) for size in sizes}
            cache.save()
        except GpuOutOfMemoryError as error:
            raise RemiError(
                f"The GPU has too little memory for {key.model} in batches of {max(sizes)} ({error}). Close other programs, or "
                f"build a plan for smaller batches: {build_command(key.model)} --max-batch {max(1, max(sizes) // 2)}"
            ) from None

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network and return its outputs."""
        rows, max_batch = count_rows(tensors), max(self._batches)
        if rows <= max_batch:
            return self._run_batch(tensors)
        parts = []
        for start in range(0, rows, max_batch):
            part = {name: values[start : start + max_batch] for name, values in tensors.items()}
            parts.append({name: values.copy() for name, values in self._run_batch(part).items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run_batch(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the smallest batch size that fits all rows; a plan of one fixed size may be larger than needed."""
        size = min(size for size in self._batches if size >= count_rows(tensors))
        return self._batches[size](tensors)


class BatchContext:
    """Execution context of one batch size, with its buffers and CUDA graph."""

    def __init__(self, context: Any, workspace: TransferBuffer, manifest: PlanManifest, cuda: CudaDevice, size: int) -> None:
        self._cuda, self._model = cuda, manifest.key.model
        context.set_device_memory(workspace.address, workspace.device.nbytes)
        self._inputs = {port.name: cuda.allocate_pair((size, *port.shape[1:]), port.dtype) for port in manifest.inputs}
        for name, pair in self._inputs.items():
            pair.host[...] = 0
            context.set_input_shape(name, pair.host.shape)
            context.set_tensor_address(name, pair.address)
        self._outputs = {port.name: self._output(context, port) for port in manifest.outputs}
        self._context = context
        self._enqueue()  # TensorRT updates its state after a shape change in the first run; that must not be captured
        cuda.synchronize()
        self._replay = cuda.capture_graph(self._enqueue)

    def _output(self, context: Any, port: TensorSpec) -> TransferBuffer:
        pair = self._cuda.allocate_pair(tuple(context.get_tensor_shape(port.name)), port.dtype)
        context.set_tensor_address(port.name, pair.address)
        return pair

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(self._cuda.stream):
            raise RemiError(
                f"TensorRT could not run the plan of {self._model}. Build it again: {build_command(self._model)} --again"
            )

    def __call__(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network on up to this many rows; unused rows keep old values and are not returned."""
        rows = count_rows(tensors)
        for name, pair in self._inputs.items():
            self._upload(tensors[name], pair)
        self._replay()
        for pair in self._outputs.values():
            self._cuda.download(pair)
        self._cuda.synchronize()
        return {name: pair.host[:rows] for name, pair in self._outputs.items()}

    def _upload(self, values: Any, pair: TransferBuffer) -> None:
        """Copy an input to the plan's buffer, from the host or within the GPU."""
        if isinstance(values, np.ndarray):
            np.copyto(pair.host[: len(values)], values)
            self._cuda.upload(pair)
        else:
            self._cuda.copy_rows(pair, values)


def count_rows(tensors: RuntimeTensors) -> int:
    """Return the batch size of inputs."""
    return len(next(iter(tensors.values())))


class KernelCache:
    """Creates execution contexts with user-managed memory; caches the kernels that TensorRT-RTX compiles in a file."""

    def __init__(self, backend: TensorRtBackend, engine: Any) -> None:
        self._trt, self._engine = backend.module, engine
        self._config = None
        if hasattr(engine, "create_runtime_config"):
            self._path = user_data_folder() / "cache" / "kernels" / f"{backend.name}-{backend.version}.cache"
            self._config = self._configure(engine.create_runtime_config())

    def _configure(self, config: Any) -> Any:
        config.set_execution_context_allocation_strategy(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if hasattr(config, "create_runtime_cache"):
            # eager: kernels are compiled while the plan is loaded, not while frames wait
            config.dynamic_shapes_kernel_specialization_strategy = self._trt.DynamicShapesKernelSpecializationStrategy.EAGER
            self._cache = config.create_runtime_cache()
            if known := read_cache(self._path):
                self._cache.deserialize(known)
            config.set_runtime_cache(self._cache)
        return config

    def create_context(self) -> Any:
        """Create an execution context without own memory. Raises GpuOutOfMemoryError if TensorRT creates none."""
        strategy = self._config or self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self._engine.create_execution_context(strategy)
        if context is None:
            raise GpuOutOfMemoryError("TensorRT created no execution context")
        return context

    def save(self) -> None:
        """Save the compiled kernels to the cache file."""
        if self._config is not None and hasattr(self._config, "create_runtime_cache"):
            save_cache(self._path, self._cache.serialize())


def read_cache(path: Path) -> bytes:
    """Read a cache of TensorRT's; empty if it is missing or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def save_cache(path: Path, content: Any) -> None:
    """Save a cache of TensorRT's atomically: of several processes one wins. What fails costs time at the next start only."""
    new = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        os.replace(new, path)
    except OSError as error:
        log.warning("%s cannot be saved (%s); the next start takes longer", path, error.strerror or error)
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def deserialise_engine(plan: bytes, backend: TensorRtBackend, model: str) -> tuple[Any, Any]:
    """Return TensorRT's runtime and the engine of a plan. Raises RemiError with TensorRT's message."""
    log = make_error_logger(backend.module)
    runtime = backend.module.Runtime(log)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise RemiError(
            f"{backend.title} refuses the plan of {model}: {log.reason()}. Build it again: {build_command(model)} --again"
        )
    return runtime, engine


def load_tensorrt_plan(
    folder: Path, manifest: PlanManifest, backend: TensorRtBackend | None = None, cuda: CudaDevice | None = None
) -> TensorRtRuntime:
    """Load a plan that was built for this machine's GPU."""
    backend = backend or find_backend((manifest.key.backend,))
    return TensorRtRuntime((folder / PLAN_FILE).read_bytes(), manifest, backend, cuda or TorchCuda())


class TorchTensorRtRuntime:
    """A plan of torch-tensorrt on the GPU: an ExportedProgram with TensorRT engines. Larger batches than the plan's are split."""

    def __init__(self, folder: Path, manifest: PlanManifest, device: str = "cuda") -> None:
        TorchCuda()  # raises RemiError if PyTorch sees no GPU
        from remi_stream.inference.gpu_crops import Cropper

        importlib.import_module("torch_tensorrt")  # registers the operators of such programs with PyTorch
        key = manifest.key
        self.name = f"torch-tensorrt {key.version} {key.precision}, batches of 1 to {key.max_batch}"
        self._torch, self._max_batch = importlib.import_module("torch"), key.max_batch
        self._device = self._torch.device(device)
        self.crop, self.time_ms = Cropper(self._device).crop, cuda_time_ms
        self._inputs = [port.name for port in manifest.inputs]
        self._outputs = [port.name for port in manifest.outputs]
        self._module = self._torch.export.load(str(folder / PLAN_FILE)).module()
        self.run({port.name: np.zeros((1, *port.shape[1:]), port.dtype) for port in manifest.inputs})  # the first run is slow

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network and return its outputs, (B, ...) float32."""
        from remi_stream.inference.torch import to_device

        inputs = [to_device(tensors[name], self._device) for name in self._inputs]
        with self._torch.inference_mode():
            parts = [self._module(*rows) for rows in zip(*(self._torch.split(values, self._max_batch) for values in inputs))]
        outputs = zip(self._outputs, zip(*parts))
        return {name: self._torch.cat(values).float().cpu().numpy() for name, values in outputs}
