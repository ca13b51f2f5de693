"""CUDA for the TensorRT runtime: memory, one stream and CUDA graphs, by PyTorch. Tests substitute a CPU implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command


class GpuOutOfMemoryError(RemiError):
    """The GPU has not enough free memory."""


class TransferBuffer(NamedTuple):
    """A tensor in pinned host memory and its copy on the GPU."""

    host: np.ndarray
    """Pinned host memory; empty for memory that is only on the GPU."""
    device: Any
    """The tensor on the GPU."""
    address: int
    """Device pointer."""


class CudaDevice(Protocol):
    """A GPU as the TensorRT runtime uses it; all work runs on one stream."""

    stream: int

    def allocate_pair(self, shape: tuple[int, ...], dtype: str) -> TransferBuffer:
        """Allocate a tensor in pinned host memory and on the GPU. Raises GpuOutOfMemoryError."""
        ...

    def allocate(self, size: int) -> TransferBuffer:
        """Allocate bytes on the GPU only. Raises GpuOutOfMemoryError."""
        ...

    def upload(self, pair: TransferBuffer) -> None:
        """Copy from the host to the GPU."""
        ...

    def copy_rows(self, pair: TransferBuffer, values: Any) -> None:
        """Copy crops that are on the GPU into the buffer's first rows."""
        ...

    def download(self, pair: TransferBuffer) -> None:
        """Start the copy from the GPU to the host; it is complete after synchronisation."""
        ...

    def crop(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Any:
        """See `GpuRuntime`."""
        ...

    def time_ms(self, work: Callable[[], object]) -> float:
        """See `GpuRuntime`."""
        ...

    def capture_graph(self, work: Callable[[], object]) -> Callable[[], None]:
        """Capture work as a CUDA graph and return the function that replays it."""
        ...

    def synchronize(self) -> None:
        """Block until all work on the stream is done."""
        ...


class TorchCuda:
    """The first GPU, through PyTorch."""

    def __init__(self) -> None:
        try:
            import torch
        except ImportError:
            raise RemiError(
                f"TensorRT's memory is allocated by PyTorch, which is not installed here: {install_command('torch')}"
            ) from None
        if not torch.cuda.is_available():
            raise RemiError(
                f"PyTorch {torch.__version__} sees no GPU: it is a build for CPUs, or the driver is older than its CUDA "
                f"{torch.version.cuda or '(none)'}. See: remi-stream doctor"
            )

        from remi_stream.inference.gpu_crops import Cropper

        self._torch: Any = torch
        self._cropper = Cropper("cuda")
        self._stream = self._torch.cuda.Stream()
        self.stream = int(self._stream.cuda_stream)

    def allocate_pair(self, shape: tuple[int, ...], dtype: str) -> TransferBuffer:
        """See CudaDevice."""
        torch_dtype = getattr(self._torch, dtype)
        host = self._torch.empty(shape, dtype=torch_dtype, pin_memory=True).numpy()
        device = self._zeros(shape, torch_dtype)
        return TransferBuffer(host, device, device.data_ptr())

    def allocate(self, size: int) -> TransferBuffer:
        """See CudaDevice."""
        device = self._zeros((max(size, 1),), self._torch.uint8)
        return TransferBuffer(np.empty(0, np.uint8), device, device.data_ptr())

    def _zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        try:
            return self._torch.zeros(shape, dtype=dtype, device="cuda")
        except self._torch.cuda.OutOfMemoryError as error:
            raise GpuOutOfMemoryError(str(error).partition("\n")[0]) from None

    def upload(self, pair: TransferBuffer) -> None:
        """See CudaDevice."""
        with self._torch.cuda.stream(self._stream):
            pair.device.copy_(self._torch.from_numpy(pair.host), non_blocking=True)

    def copy_rows(self, pair: TransferBuffer, values: Any) -> None:
        """See CudaDevice."""
        with self._torch.cuda.stream(self._stream):
            pair.device[: len(values)].copy_(values, non_blocking=True)

    def download(self, pair: TransferBuffer) -> None:
        """See CudaDevice."""
        with self._torch.cuda.stream(self._stream):
            self._torch.from_numpy(pair.host).copy_(pair.device, non_blocking=True)

    def crop(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Any:
        """See CudaDevice."""
        with self._torch.cuda.stream(self._stream):
            return self._cropper.crop(images, affines, size)

    def time_ms(self, work: Callable[[], object]) -> float:
        """See CudaDevice."""
        with self._torch.cuda.stream(self._stream):
            return cuda_time_ms(work)

    def capture_graph(self, work: Callable[[], object]) -> Callable[[], None]:
        """See CudaDevice."""
        self._torch.cuda.synchronize()  # nothing else may run while the graph is captured
        graph = self._torch.cuda.CUDAGraph()
        # thread_local: calls of other threads to CUDA do not invalidate the capture
        with self._torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            work()

        def replay() -> None:
            with self._torch.cuda.stream(self._stream):
                graph.replay()

        return replay

    def synchronize(self) -> None:
        """See CudaDevice."""
        self._stream.synchronize()


def cuda_time_ms(work: Callable[[], object]) -> float:
    """Time work on PyTorch's current stream with two CUDA events, ms; the work is complete on return."""
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    work()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))
