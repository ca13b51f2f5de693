"""What TensorRT's runtime needs of CUDA: memory, one stream, graphs; here by PyTorch. Tests have one that works on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from remi_stream.errors import RemiError


class OutOfMemoryError(RemiError):
    """The GPU has no room for what was asked."""


class Pair(NamedTuple):
    """The same tensor in pinned memory of the host, and on the GPU, where it has an address."""

    host: np.ndarray
    device: Any
    address: int


class Cuda(Protocol):
    """A GPU, as far as a runtime uses it; everything happens on one stream."""

    stream: int

    def pair(self, shape: tuple[int, ...], dtype: str) -> Pair:
        """Memory for a tensor. Raises OutOfMemoryError."""
        ...

    def memory(self, size: int) -> Pair:
        """Memory on the GPU alone, bytes. Raises OutOfMemoryError."""
        ...

    def upload(self, pair: Pair) -> None:
        """Copy to the GPU."""
        ...

    def put(self, pair: Pair, values: Any) -> None:
        """Copy what `cut` gave to the pair's first rows on the GPU."""
        ...

    def download(self, pair: Pair) -> None:
        """Copy from the GPU; it is there after `wait`."""
        ...

    def cut(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Any:
        """See OnGpu of runtime.py."""
        ...

    def timed(self, work: Callable[[], object]) -> float:
        """See OnGpu of runtime.py."""
        ...

    def graph(self, work: Callable[[], object]) -> Callable[[], None]:
        """Record work as a graph; gives what replays it."""
        ...

    def wait(self) -> None:
        """Until everything is done."""
        ...


class TorchCuda:
    """The first GPU, by PyTorch."""

    def __init__(self) -> None:
        try:
            import torch
        except ImportError:
            raise RemiError(
                "TensorRT's memory comes from PyTorch, which is not installed here: pip install 'remi-stream[torch]'"
            ) from None
        if not torch.cuda.is_available():
            raise RemiError(
                f"PyTorch {torch.__version__} sees no GPU: it is a build for CPUs, or the driver is older than its CUDA "
                f"{torch.version.cuda or '(none)'}. See: remi-stream doctor"
            )
        from remi_stream.runtimes.gpu_picture import Cutter

        self._torch: Any = torch
        self._cutter = Cutter("cuda")
        self._stream = self._torch.cuda.Stream()
        self.stream = int(self._stream.cuda_stream)

    def pair(self, shape: tuple[int, ...], dtype: str) -> Pair:
        """See Cuda."""
        kind = getattr(self._torch, dtype)
        host = self._torch.empty(shape, dtype=kind, pin_memory=True).numpy()
        device = self._on_gpu(shape, kind)
        return Pair(host, device, device.data_ptr())

    def memory(self, size: int) -> Pair:
        """See Cuda."""
        device = self._on_gpu((max(size, 1),), self._torch.uint8)
        return Pair(np.empty(0, np.uint8), device, device.data_ptr())

    def _on_gpu(self, shape: tuple[int, ...], kind: Any) -> Any:
        try:
            return self._torch.zeros(shape, dtype=kind, device="cuda")
        except self._torch.cuda.OutOfMemoryError as error:
            raise OutOfMemoryError(str(error).partition("\n")[0]) from None

    def upload(self, pair: Pair) -> None:
        """See Cuda."""
        with self._torch.cuda.stream(self._stream):
            pair.device.copy_(self._torch.from_numpy(pair.host), non_blocking=True)

    def put(self, pair: Pair, values: Any) -> None:
        """See Cuda."""
        with self._torch.cuda.stream(self._stream):
            pair.device[: len(values)].copy_(values, non_blocking=True)

    def download(self, pair: Pair) -> None:
        """See Cuda."""
        with self._torch.cuda.stream(self._stream):
            self._torch.from_numpy(pair.host).copy_(pair.device, non_blocking=True)

    def cut(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Any:
        """See Cuda."""
        with self._torch.cuda.stream(self._stream):
            return self._cutter.cut(images, affines, size)

    def timed(self, work: Callable[[], object]) -> float:
        """See Cuda."""
        with self._torch.cuda.stream(self._stream):
            return timed(work)

    def graph(self, work: Callable[[], object]) -> Callable[[], None]:
        """See Cuda."""
        self._torch.cuda.synchronize()
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            work()

        def replay() -> None:
            with self._torch.cuda.stream(self._stream):
                graph.replay()

        return replay

    def wait(self) -> None:
        """See Cuda."""
        self._stream.synchronize()


def timed(work: Callable[[], object]) -> float:
    """What work takes on PyTorch's current stream, ms, between two events; it is done when this returns."""
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    work()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))
