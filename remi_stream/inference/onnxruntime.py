"""ONNX Runtime as an inference runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command

DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
"""NumPy's types of the inputs that our networks have."""


class OnnxRuntime:
    """An ONNX network in ONNX Runtime. outputs: names to compute; empty: all.

    The first inference runs here, unless an axis other than the batch has no size: no two threads do theirs at the same time.
    """

    def __init__(self, model: Path, *, threads: int = 1, outputs: tuple[str, ...] = ()) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise RemiError(f"ONNX Runtime is not installed. Install it: {install_command('onnx')}") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.name = f"onnxruntime f32, {threads} thread{'s' if threads > 1 else ''}"
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._outputs = list(outputs) or [port.name for port in self._session.get_outputs()]
        self._inputs = [port.name for port in self._session.get_inputs()]
        self._warm_up()

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the network and return its outputs."""
        found = self._session.run(self._outputs, {name: tensors[name] for name in self._inputs})
        return dict(zip(self._outputs, found))

    def _warm_up(self) -> None:
        ports = self._session.get_inputs()
        if all(isinstance(size, int) for port in ports for size in port.shape[1:]) and all(port.type in DTYPES for port in ports):
            shapes = {port.name: [size if isinstance(size, int) else 1 for size in port.shape] for port in ports}
            self.run({port.name: np.zeros(shapes[port.name], DTYPES[port.type]) for port in ports})
