"""PyTorch, eager: the runtime that everything else is compared with."""

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
from remi_stream.networks.served import load
from remi_stream.runtimes.cuda import timed
from remi_stream.runtimes.gpu_picture import Cutter
from remi_stream.runtimes.runtime import Cut, Tensors


class Torch:
    """A checkpoint in PyTorch, in inference mode with channels last.

    network: a name of networks/network.py. device: "cpu", "cuda", or "auto": the GPU if there is one. Only there it has `cut`
    and `timed` (see OnGpu of runtime.py): a processor is quicker with OpenCV.
    """

    cut: Cut
    timed: Callable[[Callable[[], object]], float]

    def __init__(self, network: str, checkpoint: Path, *, threads: int = 1, device: str = "auto") -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and not torch.cuda.is_available():
            raise RemiError('PyTorch sees no CUDA device. Use device = "cpu", or see: remi-stream doctor')
        torch.set_num_threads(threads)
        self.name = f"torch {device} f32" + (f", {threads} thread{'s' if threads > 1 else ''}" if device == "cpu" else "")
        self._device = torch.device(device)
        if device == "cuda":
            self.cut, self.timed = Cutter(device).cut, timed
        self._outputs = find_network(network).outputs
        self._inputs = tuple(find_network(network).tensors())
        module = load(network, read_checkpoint(checkpoint, network))
        self._module = module.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.run({name: zeros(name, shape) for name, shape in find_network(network).tensors().items()})

    def run(self, tensors: Tensors) -> dict[str, np.ndarray]:
        """Compute the outputs, (B, ...) float32."""
        with torch.inference_mode():
            found = self._module(*(brought(tensors[name], self._device) for name in self._inputs))
        return {name: value.cpu().numpy() for name, value in zip(self._outputs, found)}


def brought(values: Any, device: torch.device) -> Tensor:
    """NumPy's array on a device; what lies there already stays where it is."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values)).to(device)


def zeros(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One row of an input, to warm up with: the first call takes seconds, in which a stage at work would seem to hang."""
    return np.zeros((1, *shape), np.uint8 if name == "image" else np.float32)
