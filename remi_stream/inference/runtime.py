"""Inference runtime protocol and loading: named tensors in, named tensors out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.models.manifest import ModelFile

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


def load_model(file: ModelFile, kind: str, **settings: Any) -> Runtime:
    """Load a model of the store into the runtime of this name.

    A checkpoint of networks/network.py is loaded directly by torch, as a plan by TensorRT, and as converted ONNX by the other
    runtimes; its inputs and outputs have the names of that table.
    """
    from remi_stream.inference.onnx_cache import cached_onnx
    from remi_stream.models.store import ensure_model_file

    if kind == "torch":
        require_torch(file)
        from remi_stream.inference.torch import TorchRuntime

        return TorchRuntime(file.network, ensure_model_file(file), **settings)
    if kind == "tensorrt":
        from remi_stream.inference.load import load_fastest

        return load_fastest(file, **settings)
    return load_runtime(kind, cached_onnx(file) if file.network else ensure_model_file(file), **settings)


def require_torch(file: ModelFile) -> None:
    """Raise RemiError unless PyTorch is installed."""
    if importlib.util.find_spec("torch") is None:
        raise RemiError(f"{file.name} is to run in PyTorch, which is not installed here: pip install 'remi-stream[torch]'")


def load_runtime(kind: str, model: Path, **settings: Any) -> Runtime:
    """Load a model file into the runtime of this name; settings are the runtime's, from the manifest and the engine."""
    if kind == "openvino":
        from remi_stream.inference.openvino import OpenVinoRuntime

        return OpenVinoRuntime(model, **settings)
    if kind == "onnx":
        from remi_stream.inference.onnxruntime import OnnxRuntime

        return OnnxRuntime(model, **settings)
    if kind == "tensorrt":
        from remi_stream.inference.load import load_fastest
        from remi_stream.models.manifest import model_files_by_name
        from remi_stream.models.store import model_path

        return load_fastest(next(file for file in model_files_by_name().values() if model_path(file) == model), **settings)
    raise unknown_name_error("runtime", kind, ["openvino", "onnx", "tensorrt"])
