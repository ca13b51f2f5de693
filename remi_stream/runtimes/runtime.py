"""What a network runs in: tensors in, tensors out, no bodies."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from remi_stream.errors import RemiError, unknown
from remi_stream.models.manifest import ModelFile

Tensors = dict[str, Any]
"""Inputs by name: NumPy's arrays, or what the runtime's own `cut` gave, which lies where the network runs."""
Cut = Callable[[Sequence[np.ndarray], np.ndarray, tuple[int, int]], Any]
"""See OnGpu.cut."""


class Runtime(Protocol):
    """A loaded network. A runtime knows nothing of people; an adapter knows nothing of the runtime."""

    name: str
    """What runs, for people: "openvino f32, 2 threads"."""

    def run(self, tensors: Tensors) -> dict[str, np.ndarray]:
        """Give the named outputs for the named inputs; outputs may be overwritten by the next call."""
        ...


@runtime_checkable
class OnGpu(Protocol):
    """What a runtime on a GPU can do besides."""

    def cut(self, images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> Any:
        """Crops (B, height, width, 3) uint8 RGB on the GPU, with the bytes of pose/square.py; an input for `run`.

        images: of each crop the full picture, (H, W, 3) uint8 BGR; one that several share is uploaded once. affines: (B, 2, 3),
        picture px to crop px. size: (width, height) px of the crops.
        """
        ...

    def timed(self, work: Callable[[], object]) -> float:
        """What work takes on the runtime's stream, ms, by the GPU's own clock (CUDA events); it is done when this returns."""
        ...


SUFFIXES = {"ov": "openvino", "onnx": "onnx", "torch": "torch", "trt": "tensorrt"}
"""What an engine's name may end in to ask for a runtime: "poco-trt"."""


def load_weights(file: ModelFile, kind: str, **settings: Any) -> Runtime:
    """Load a model of the store into the runtime of this name.

    A checkpoint of a network of networks/network.py runs in torch as it is, in TensorRT as the plan that was built of it
    (see fastest.py), and elsewhere as the ONNX that was converted from it (see convert/artefact.py); its inputs and outputs
    have the names of that table.
    """
    from remi_stream.convert.artefact import artefact
    from remi_stream.models.store import model_file

    if kind == "torch":
        require_torch(file)
        from remi_stream.runtimes.torch import Torch

        return Torch(file.network, model_file(file), **settings)
    if kind == "tensorrt":
        from remi_stream.runtimes.fastest import open_fastest

        return open_fastest(file, **settings)
    return load_runtime(kind, artefact(file) if file.network else model_file(file), **settings)


def require_torch(file: ModelFile) -> None:
    """Raise RemiError unless PyTorch is installed."""
    if importlib.util.find_spec("torch") is None:
        raise RemiError(f"{file.name} is to run in PyTorch, which is not installed here: pip install 'remi-stream[torch]'")


def load_runtime(kind: str, model: Path, **settings: Any) -> Runtime:
    """Load a network's file into the runtime of this name; settings are its own, from the manifest and the adapter."""
    if kind == "openvino":
        from remi_stream.runtimes.openvino import OpenVino

        return OpenVino(model, **settings)
    if kind == "onnx":
        from remi_stream.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(model, **settings)
    if kind == "tensorrt":
        from remi_stream.models.catalogue import known_files
        from remi_stream.models.store import place
        from remi_stream.runtimes.fastest import open_fastest

        return open_fastest(next(file for file in known_files().values() if place(file) == model), **settings)
    raise unknown("runtime", kind, ["openvino", "onnx", "tensorrt"])
