"""OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino
from openvino.preprocess import PrePostProcessor


class OpenVino:
    """A network in OpenVINO: one request, latency first.

    outputs: the names to compute; what only the others need is cut out of the network. bytes_scale: the network reads
    uint8 pictures and multiplies them by this, then adds bytes_offset, inside the graph.
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
    ) -> None:
        self.name = f"openvino {precision}, {threads} thread{'s' if threads > 1 else ''}"
        core = openvino.Core()
        network = keep_outputs(core.read_model(model), outputs)
        if bytes_scale is not None:
            network = read_bytes(network, bytes_scale, bytes_offset)
        self._inputs = [port.get_any_name() for port in network.inputs]
        self._outputs = [port.get_any_name() for port in network.outputs]
        compiled = core.compile_model(network, "CPU", settings(threads, precision))
        self._request = compiled.create_infer_request()

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute the outputs; they are views of the network's memory, overwritten by the next call."""
        feed = [tensors[name] for name in self._inputs]
        found = self._request.infer(feed, share_inputs=True, share_outputs=True)
        return {name: found[index] for index, name in enumerate(self._outputs)}


def settings(threads: int, precision: str) -> dict[str, object]:
    """Give the plug-in's options."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }


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
