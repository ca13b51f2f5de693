"""Mixed precision: FP16 backbone with an FP32 head, written into the graph as strongly typed TensorRT networks need it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from remi_stream.errors import RemiError, UsageError
from remi_stream.inference.cuda import Cropper, cuda_time_ms
from remi_stream.inference.plan import Precision
from remi_stream.inference.runtime import CropFunction, RuntimeTensors
from remi_stream.models.checkpoint import read_checkpoint
from remi_stream.networks.darknet import YoloLayer
from remi_stream.networks.network import find_network
from remi_stream.networks.served import ServedNetwork, load_network

FULL_PRECISION_MODULES = ("head", "uncert_head", "conv_out")
"""Submodules that stay float32, by name; so does the `YoloLayer` of every scale."""


class HalfPrecisionInput(nn.Module):
    """Wraps a network and casts its image to half precision; other inputs stay float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """image: (B, 3, H, W) float32, normalised."""
        return self.module(image.half(), *others)


def load_with_precision(precision: Precision, network: str, checkpoint: Path) -> ServedNetwork:
    """Load a checkpoint as a module of this precision."""
    served = load_network(network, read_checkpoint(checkpoint, network))
    return convert_to_half(served) if precision == "fp16" else served


def convert_to_half(served: ServedNetwork) -> ServedNetwork:
    """Convert the backbone of a served network to FP16, in place; the head and the normalisation stay FP32.

    Raises UsageError for a network without an image input: it has no backbone to convert.
    """
    if served.network.image is None:
        raise UsageError("A network without an image input has no backbone that could run in FP16. Use --precision fp32")
    halve_module(served.module)
    served.module = HalfPrecisionInput(served.module)
    return served


def halve_module(module: nn.Module) -> None:
    """Convert parameters and buffers to half recursively, except the heads, whose inputs are cast to float32."""
    for name, weight in list(module.named_parameters(recurse=False)):
        setattr(module, name, nn.Parameter(weight.half(), requires_grad=False))
    for name, buffer in list(module.named_buffers(recurse=False)):
        setattr(module, name, buffer.half() if buffer.is_floating_point() else buffer)
    for name, part in module.named_children():
        if name in FULL_PRECISION_MODULES or isinstance(part, YoloLayer):
            part.register_forward_pre_hook(cast_to_float32)
        else:
            halve_module(part)


def cast_to_float32(_part: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Forward pre-hook: cast half-precision inputs to float32."""
    return tuple(each.float() if isinstance(each, Tensor) and each.dtype == torch.float16 else each for each in inputs)


# PyTorch runtime, eager: the reference of all other runtimes.


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


# PyTorch runtime on an NVIDIA GPU: CUDA graphs by torch.compile, or eager; the fallback for TensorRT.


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
