"""What a network runs in: tensors in, tensors out, no bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from remi_stream.errors import unknown


class Runtime(Protocol):
    """A loaded network. A runtime knows nothing of people; an adapter knows nothing of the runtime."""

    name: str
    """What runs, for people: "openvino f32, 2 threads"."""

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Give the named outputs for the named inputs; outputs may be overwritten by the next call."""
        ...


SUFFIXES = {"ov": "openvino", "onnx": "onnx", "torch": "torch", "trt": "tensorrt"}
"""What an engine's name may end in to ask for a runtime: "poco-trt"."""


def load_runtime(kind: str, model: Path, **settings: Any) -> Runtime:
    """Load a network into the runtime of this name; settings are that runtime's own, from the manifest and the adapter."""
    if kind == "openvino":
        from remi_stream.runtimes.openvino import OpenVino

        return OpenVino(model, **settings)
    raise unknown("runtime", kind, ["openvino"])
