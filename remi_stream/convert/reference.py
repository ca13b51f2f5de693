"""Reference of the parity check: the checkpoint in PyTorch on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from remi_stream.convert.plan import Precision
from remi_stream.convert.precision import load_with_precision


def torch_reference(
    network: str, checkpoint: Path, precision: Precision
) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return a function that runs a checkpoint in PyTorch: named inputs to named float32 outputs."""
    served = load_with_precision(precision, network, checkpoint)
    names = tuple(served.network.input_shapes())

    def run(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            found = served(*(torch.from_numpy(np.ascontiguousarray(tensors[name])) for name in names))
        return {name: value.float().numpy() for name, value in zip(served.network.outputs, found)}

    return run
