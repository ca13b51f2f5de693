"""PyTorch runtime on an NVIDIA GPU: CUDA graphs by torch.compile, or eager; the fallback for TensorRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from remi_stream.convert.plan import Precision
from remi_stream.convert.precision import load_with_precision
from remi_stream.errors import RemiError
from remi_stream.networks.network import find_network
from remi_stream.networks.served import ServedNetwork
from remi_stream.runtimes.cuda import cuda_time_ms
from remi_stream.runtimes.gpu_picture import Cropper
from remi_stream.runtimes.runtime import RuntimeTensors
from remi_stream.runtimes.torch import to_device

GRAPH_BATCH_SIZES = (1, 2, 4, 8)
"""Batch sizes with a CUDA graph; other batches are padded to the next of these, or split."""


class TorchGpuRuntime:
    """A checkpoint in PyTorch on the GPU. compiled: use torch.compile(mode="reduce-overhead"), which takes about a minute."""

    def __init__(
        self, network: str, checkpoint: Path, *, precision: Precision = "fp16", compiled: bool = True, device: str = "cuda"
    ) -> None:
        self.name = f"torch {device} {precision}, {'CUDA graphs' if compiled else 'eager'}"
        self._device, self._network = torch.device(device), find_network(network)
        self.crop, self.time_ms = Cropper(self._device).crop, cuda_time_ms
        served: ServedNetwork = load_with_precision(precision, network, checkpoint).to(self._device)
        self._module = served.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            self._module = torch.compile(self._module, mode="reduce-overhead", dynamic=False)
            self._warm_up()

    def _warm_up(self) -> None:
        """Record a graph for every batch size: torch.compile replays it from the third run on."""
        try:
            for size in GRAPH_BATCH_SIZES:
                for _ in range(3):
                    self._run_batch(self._zeros(size))
        except (RuntimeError, ImportError) as error:  # no Triton, no compiler, no memory
            raise RemiError(f"torch.compile failed: {str(error).strip().partition(chr(10))[0]}") from None

    def _zeros(self, size: int) -> dict[str, np.ndarray]:
        tensors = self._network.input_shapes().items()
        return {name: np.zeros((size, *shape), np.uint8 if name == "image" else np.float32) for name, shape in tensors}

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
