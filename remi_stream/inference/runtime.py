"""Interface of the runtimes: named tensors in, named tensors out. Types only; inference/load.py makes runtimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

RuntimeTensors = dict[str, Any]
"""Inputs by name: NumPy arrays, or crops that the runtime itself sampled on its device."""
CropFunction = Callable[[Sequence[np.ndarray], np.ndarray, tuple[int, int]], Any]
"""Samples crops on the GPU; see GpuRuntime."""


class Runtime(Protocol):
    """A loaded network. Runtimes do not know about people; engines do not know about runtimes."""

    name: str
    """Description: "openvino f32, 2 threads"."""

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network: named inputs to named outputs, which the next call may overwrite."""
        ...


@runtime_checkable
class GpuRuntime(Protocol):
    """Additional methods of a runtime on a GPU."""

    def crop(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Any:
        """Sample crops (B, height, width, 3) uint8 RGB on the GPU, bit-identical to pose/crop.py; an input for `run`.

        images: the full image of each crop, (H, W, 3) uint8 BGR; a shared one is uploaded once. affines: (B, 2, 3), image px
        to crop px. size: (width, height) px of the crops.
        """
        ...

    def time_ms(self, work: Callable[[], object]) -> float:
        """Time work on the runtime's stream with CUDA events, ms; the work is complete on return."""
        ...


RUNTIME_SUFFIXES = {"ov": "openvino", "onnx": "onnx", "torch": "torch", "trt": "tensorrt"}
"""Suffix of an engine's name -> runtime: "poco-trt" runs in TensorRT."""
