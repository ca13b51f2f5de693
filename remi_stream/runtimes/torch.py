"""PyTorch runtime, eager: the reference of all other runtimes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remi_stream.errors import RemiError
from remi_stream.models.checkpoint import read_checkpoint
from remi_stream.networks.network import find_network
from remi_stream.networks.served import load_network
from remi_stream.runtimes.cuda import cuda_time_ms
from remi_stream.runtimes.gpu_picture import Cropper
from remi_stream.runtimes.runtime import CropFunction, RuntimeTensors


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
        module = load_network(network, read_checkpoint(checkpoint, network))
        self._module = module.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.run({name: zero_input(name, shape) for name, shape in find_network(network).input_shapes().items()})

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network and return its outputs, (B, ...) float32."""
        with torch.inference_mode():
            outputs = self._module(*(to_device(tensors[name], self._device) for name in self._inputs))
        return {name: value.cpu().numpy() for name, value in zip(self._outputs, outputs)}


def to_device(values: Any, device: torch.device) -> Tensor:
    """Copy a NumPy array to a device; a tensor is returned unchanged."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values)).to(device)


def zero_input(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return one zero row of an input for the warm-up: the first call takes seconds, which would look like a hung stage."""
    return np.zeros((1, *shape), np.uint8 if name == "image" else np.float32)
