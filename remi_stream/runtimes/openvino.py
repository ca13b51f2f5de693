"""OpenVINO on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from remi_stream.runtimes.processor import multiplies_bf16

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # or each import of OpenVINO would tell Intel

import openvino  # noqa: E402
from openvino.preprocess import PrePostProcessor  # noqa: E402


class OpenVino:
    """A network in OpenVINO: one request, latency first.

    outputs: the names to compute; what only the others need is cut out of the network. bytes_scale: the network reads
    uint8 pictures and multiplies them by this, then adds bytes_offset, inside the graph. precision: "f32", "bf16", or "auto":
    bf16 where the processor multiplies it. A network whose batch is free is compiled for one row: on a CPU, several at once
    take as long as one after the other; whole_batch: it stays free, for a small network with many rows. Reading and compiling
    takes a second at most, so nothing compiled is kept.
    """

    def __init__(
        self,
        model: Path,
        *,
        outputs: Sequence[str] = (),
        bytes_scale: float | None = None,
        bytes_offset: float = 0.0,
        threads: int = 1,
        precision: str = "f32",
        whole_batch: bool = False,
    ) -> None:
        if precision == "auto":
            precision = "bf16" if multiplies_bf16() else "f32"
        self.name = f"openvino {precision}, {threads} thread{'s' if threads > 1 else ''}"
        core = openvino.Core()
        network = keep_outputs(core.read_model(model), outputs)
        if bytes_scale is not None:
            network = read_bytes(network, bytes_scale, bytes_offset)
        self._inputs = [port.get_any_name() for port in network.inputs]
        self._outputs = [port.get_any_name() for port in network.outputs]
        self._one_by_one = not whole_batch and one_row(network)
        self._request = core.compile_model(network, "CPU", settings(threads, precision)).create_infer_request()

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute the outputs; they may be views of the network's memory, overwritten by the next call."""
        feed = [tensors[name] for name in self._inputs]
        if not self._one_by_one or len(feed[0]) == 1:
            return dict(zip(self._outputs, self._infer(feed)))
        rows = [[part.copy() for part in self._infer([part[row : row + 1] for part in feed])] for row in range(len(feed[0]))]
        return {name: np.concatenate(parts) for name, parts in zip(self._outputs, zip(*rows))}

    def _infer(self, feed: list[np.ndarray]) -> list[np.ndarray]:
        found = self._request.infer(feed, share_inputs=True, share_outputs=True)
        return [found[index] for index in range(len(self._outputs))]


def settings(threads: int, precision: str) -> dict[str, object]:
    """Give the plug-in's options."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }


def one_row(network: openvino.Model) -> bool:
    """Fix the batch of a network to one row if it is free; says whether it was."""
    shapes = {port: port.get_partial_shape() for port in network.inputs}
    free = {port: shape for port, shape in shapes.items() if shape.rank.is_static and len(shape) and shape[0].is_dynamic}
    for shape in free.values():
        shape[0] = 1
    if free:
        network.reshape({port: free.get(port, shape) for port, shape in shapes.items()})
    return bool(free)


def keep_outputs(network: openvino.Model, outputs: Sequence[str]) -> openvino.Model:
    """Cut off everything that none of the named outputs needs (no names: keep all)."""
    if not outputs:
        return network
    ports = {name: port for port in network.outputs for name in port.names}
    return openvino.Model([ports[name] for name in outputs], network.get_parameters(), network.get_friendly_name())


def read_bytes(network: openvino.Model, scale: float, offset: float) -> openvino.Model:
    """Make the network read uint8: x * scale + offset happens inside it."""
    steps = PrePostProcessor(network)
    steps.input().tensor().set_element_type(openvino.Type.u8)
    convert = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if offset:
        convert.mean(-offset / scale)
    convert.scale(1 / scale)
    return steps.build()
