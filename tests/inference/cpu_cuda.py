"""A CUDA and a TensorRT that work on a CPU: addresses are NumPy's, a plan is an ONNX file that ONNX Runtime computes.

What TensorRT's module is asked for, and in which order, is what TensorRT asks for: tensors by address, shapes before addresses,
working memory before work, nothing that allocates while a graph is recorded.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import torch

from remi_stream.inference.cuda import GpuOutOfMemoryError, TransferBuffer
from remi_stream.inference.gpu_crops import Cropper, ImageBuffer
from remi_stream.inference.tensorrt import TensorRtBackend


class OnDevice(torch.Tensor):
    """A tensor on a GPU: NumPy cannot read it."""

    def numpy(self, **_: Any) -> np.ndarray:
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return self.numpy()


class CpuCuda:
    """Counts what it records, replays and uploads; `room` bytes are there; a replay takes 3 ms."""

    stream = 7

    def __init__(self, room: int = 1 << 40) -> None:
        self.room, self.recorded, self.replayed, self.recording = room, 0, 0, False
        self.rows_uploaded, self.pictures_uploaded = 0, 0
        self._cutter = Cropper("cpu")
        self._upload, self._cutter.upload = self._cutter.upload, self._counted  # type: ignore[method-assign]

    def allocate_pair(self, shape: tuple[int, ...], dtype: str) -> TransferBuffer:
        device = self._take(int(np.prod(shape)) * np.dtype(dtype).itemsize).view(dtype).reshape(shape)
        return TransferBuffer(np.full(shape, 77, dtype), device, device.ctypes.data)

    def allocate(self, size: int) -> TransferBuffer:
        device = self._take(max(size, 1))
        return TransferBuffer(np.empty(0, np.uint8), device, device.ctypes.data)

    def _take(self, size: int) -> np.ndarray:
        self.room -= size
        if self.room < 0:
            raise GpuOutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return np.zeros(size, np.uint8)

    def upload(self, pair: TransferBuffer) -> None:
        self.rows_uploaded += len(pair.host)
        pair.device[...] = pair.host

    def copy_rows(self, pair: TransferBuffer, values: OnDevice) -> None:
        assert isinstance(values, OnDevice), "arrays come by `upload`"
        pair.device[: len(values)] = values.as_subclass(torch.Tensor).numpy()

    def crop(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> OnDevice:
        return self._cutter.crop(images, affines, size).as_subclass(OnDevice)

    def _counted(self, images: Sequence[np.ndarray]) -> ImageBuffer:
        self.pictures_uploaded += len(images)
        return self._upload(images)

    def time_ms(self, work: Callable[[], object]) -> float:
        before = self.replayed
        work()
        return 3.0 * (self.replayed - before)

    def download(self, pair: TransferBuffer) -> None:
        pair.host[...] = pair.device

    def capture_graph(self, work: Callable[[], object]) -> Callable[[], None]:
        self.recorded += 1
        work()

        def replay() -> None:
            self.replayed += 1
            work()

        return replay

    def synchronize(self) -> None:
        pass


class Severity(enum.Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class Logger:
    INTERNAL_ERROR, ERROR, WARNING = Severity


class Context:
    """Computes with ONNX Runtime between the addresses that it was given."""

    def __init__(self, session: onnxruntime.InferenceSession, device_memory: int) -> None:
        self._session, self._needs = session, device_memory
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._memory = 0

    def set_device_memory(self, address: int, size: int) -> None:
        assert address
        self._memory = size

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = tuple(shape)
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        assert len(self._shapes) == len(self._session.get_inputs()), "shapes of outputs are known when all inputs have one"
        port = next(port for port in self._session.get_outputs() if port.name == name)
        return (next(iter(self._shapes.values()))[0], *port.shape[1:])

    def execute_async_v3(self, stream: int) -> bool:
        if stream != CpuCuda.stream or self._memory < self._needs:
            return False
        feed = {port.name: self._view(port, self._shapes[port.name]) for port in self._session.get_inputs()}
        for port, found in zip(self._session.get_outputs(), self._session.run(None, feed)):
            self._view(port, found.shape)[...] = found
        return True

    def _view(self, port: Any, shape: tuple[int, ...]) -> np.ndarray:
        kind = np.dtype({"tensor(uint8)": "uint8", "tensor(float)": "float32"}[port.type])
        size = int(np.prod(shape)) * kind.itemsize
        raw = (ctypes.c_uint8 * size).from_address(self._addresses[port.name])
        return np.frombuffer(raw, kind).reshape(shape)


class Engine:
    """contexts: how many it makes; the next is None, as when the GPU is full."""

    device_memory_size_v2 = 4096

    def __init__(self, plan: bytes, contexts: int) -> None:
        self._session = onnxruntime.InferenceSession(plan, providers=["CPUExecutionProvider"])
        self._contexts = contexts

    def create_execution_context(self, strategy: object) -> Context | None:
        assert strategy == "user managed"
        self._contexts -= 1
        return Context(self._session, self.device_memory_size_v2) if self._contexts >= 0 else None


def cpu_tensorrt(name: str = "tensorrt", version: str = "11.1.0.106", contexts: int = 100) -> TensorRtBackend:
    """A backend whose plans are ONNX files."""

    class Runtime:
        def __init__(self, log: Any) -> None:
            self._log = log

        def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
            if plan.startswith(b"not a plan"):
                self._log.log(Severity.WARNING, "this says nothing")
                self._log.log(Severity.ERROR, "IRuntime::deserializeCudaEngine: Error Code 1:\n Serialization (magic tag)")
                return None
            return Engine(plan, contexts)

    module = SimpleNamespace(
        ILogger=Logger,
        Runtime=Runtime,
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="user managed"),
        __version__=version,
    )
    return TensorRtBackend(name, module, version)
