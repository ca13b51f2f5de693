"""What a network runs in: tensors in, tensors out, no bodies."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Runtime(Protocol):
    """A loaded network. A runtime knows nothing of people; an adapter knows nothing of the runtime."""

    name: str
    """What runs, for people: "openvino f32, 2 threads"."""

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Give the named outputs for the named inputs; outputs may be overwritten by the next call."""
        ...
