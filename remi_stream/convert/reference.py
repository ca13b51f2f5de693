"""PyTorch on the CPU: what converted networks are compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from remi_stream.convert.plan import Precision
from remi_stream.convert.precision import load_in

Tensors = dict[str, np.ndarray]


def reference(network: str, checkpoint: Path, precision: Precision) -> Callable[[Tensors], Tensors]:
    """What runs a checkpoint in PyTorch: named inputs to named outputs, float32."""
    served = load_in(precision, network, checkpoint)
    names = tuple(served.network.tensors())

    def run(tensors: Tensors) -> Tensors:
        with torch.inference_mode():
            found = served(*(torch.from_numpy(np.ascontiguousarray(tensors[name])) for name in names))
        return {name: value.float().numpy() for name, value in zip(served.network.outputs, found)}

    return run
