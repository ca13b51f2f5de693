"""What a network runs in: tensors in, tensors out, no bodies."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from remi_stream.errors import RemiError, unknown
from remi_stream.models.manifest import ModelFile


class Runtime(Protocol):
    """A loaded network. A runtime knows nothing of people; an adapter knows nothing of the runtime."""

    name: str
    """What runs, for people: "openvino f32, 2 threads"."""

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Give the named outputs for the named inputs; outputs may be overwritten by the next call."""
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
