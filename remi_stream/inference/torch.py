"""PyTorch as an inference runtime: eager, the reference of all others, or with CUDA graphs, the fallback for TensorRT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remi_stream.errors import RemiError
from remi_stream.inference.cuda import cuda_time_ms
from remi_stream.inference.gpu_crops import Cropper
from remi_stream.inference.plan import Precision
from remi_stream.inference.runtime import CropFunction, RuntimeTensors
from remi_stream.models.checkpoint import read_checkpoint
from remi_stream.networks.network import find_network
from remi_stream.networks.served import ServedNetwork, convert_to_half, load_network

GRAPH_BATCH_SIZES = (1, 2, 4, 8)
"""Batch sizes with a CUDA graph; other batches are padded to the next of these, or split."""


def load_checkpoint(network: str, checkpoint: Path, precision: Precision = "fp32") -> ServedNetwork:
    """Load a checkpoint as a module of this precision."""
    served = load_network(network, read_checkpoint(checkpoint, network))
    return convert_to_half(served) if precision == "fp16" else served


class TorchRuntime:
    """A checkpoint in PyTorch, in inference mode with channels-last memory format.

    network: a name of networks/network.py. device: "cpu", "cuda", or "auto": the GPU if there is one. Only on a GPU it has
    the methods of GpuRuntime (runtime.py): on a CPU, OpenCV crops faster.
    """

    crop: CropFunction
    time_ms: Callable[[Callable[[], object]], float]

    def __init__(self, network: str, checkpoint: Path, *, threads: int = 1, device: str = "auto") -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and not torch.cuda.is_available():
            raise RemiError('PyTorch sees no CUDA device. Use device = "cpu", or see: remi-stream doctor')
        torch.set_num_threads(threads)
        self.name = f"torch {device} f32" + (f", {threads} thread{'s' if threads > 1 else ''}" if device == "cpu" else "")
        self._device = torch.device(device)
        if device == "cuda":
            self.crop, self.time_ms = Cropper(device).crop, cuda_time_ms
        self._outputs = find_network(network).outputs
        self._inputs = tuple(find_network(network).input_shapes())
        module = load_checkpoint(network, checkpoint)
        self._module = module.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # The first call takes seconds; during inference the supervisor would take the stage for hung.
        self.run(find_network(network).zero_inputs(1))

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network and return its outputs, (B, ...) float32."""
        with torch.inference_mode():
            outputs = self._module(*(to_device(tensors[name], self._device) for name in self._inputs))
        return {name: value.cpu().numpy() for name, value in zip(self._outputs, outputs)}


class TorchGpuRuntime:
    """A checkpoint in PyTorch on the GPU. compiled: use torch.compile(mode="reduce-overhead"), which takes about a minute."""

    def __init__(
        self, network: str, checkpoint: Path, *, precision: Precision = "fp16", compiled: bool = True, device: str = "cuda"
    ) -> None:
        self.name = f"torch {device} {precision}, {'CUDA graphs' if compiled else 'eager'}"
        self._device, self._network = torch.device(device), find_network(network)
        self.crop, self.time_ms = Cropper(self._device).crop, cuda_time_ms
        served: ServedNetwork = load_checkpoint(network, checkpoint, precision).to(self._device)
        self._module = served.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            self._module = torch.compile(self._module, mode="reduce-overhead", dynamic=False)
            self._warm_up()
        else:
            self.run(self._network.zero_inputs(1))

    def _warm_up(self) -> None:
        """Record a graph for every batch size: torch.compile replays it from the third run on."""
        try:
            for size in GRAPH_BATCH_SIZES:
                for _ in range(3):
                    self._run_batch(self._network.zero_inputs(size))
        except (RuntimeError, ImportError) as error:  # no Triton, no compiler, no memory
            raise RemiError(f"torch.compile failed: {str(error).strip().partition(chr(10))[0]}") from None

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network and return its outputs, (B, ...) float32."""
        rows = len(next(iter(tensors.values())))
        starts = range(0, rows, GRAPH_BATCH_SIZES[-1])
        parts = [
            self._run_batch({name: values[start : start + GRAPH_BATCH_SIZES[-1]] for name, values in tensors.items()})
            for start in starts
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run_batch(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        rows = len(next(iter(tensors.values())))
        padding = min(size for size in GRAPH_BATCH_SIZES if size >= rows) - rows
        with torch.inference_mode():
            inputs = [to_device(tensors[name], self._device) for name in self._network.input_shapes()]
            outputs = self._module(*(torch.cat([values, *[values[-1:]] * padding]) for values in inputs))
            return {name: value[:rows].float().cpu().numpy() for name, value in zip(self._network.outputs, outputs)}


def to_device(values: Any, device: torch.device) -> Tensor:
    """Copy a NumPy array to a device; a tensor is returned unchanged."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values)).to(device)
