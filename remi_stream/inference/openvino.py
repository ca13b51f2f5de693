"""OpenVINO as an inference runtime on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else each import sends telemetry to Intel
import openvino  # noqa: E402
from openvino.preprocess import PrePostProcessor  # noqa: E402

BF16_FLAGS = {"amx_bf16", "avx512_bf16"}
"""Flags of bf16 instructions in Linux's /proc/cpuinfo."""


class OpenVinoRuntime:
    """A network in OpenVINO: one infer request, latency hint.

    outputs: names to compute; the rest of the network is removed. bytes_scale: the network accepts uint8 images, scaled by
    this and shifted by bytes_offset inside the graph. precision: "f32", "bf16", or "auto": bf16 where the processor has
    bf16 instructions. A dynamic batch is compiled for one row, because on a CPU a batch takes as long as its rows one by
    one; whole_batch keeps it dynamic, for a small network with many rows. Compiling takes a second at most: nothing is cached.
    The first inference runs here, unless an axis other than the batch has no size: the first ones of two threads deadlock now and
    then (one waits for the GIL inside the guard of a C++ static, the other holds the GIL and waits for that guard).
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
            precision = "bf16" if has_bf16() else "f32"
        self.name = f"openvino {precision}, {threads} thread{'s' if threads > 1 else ''}"
        core = openvino.Core()
        network = keep_outputs(core.read_model(model), outputs)
        if bytes_scale is not None:
            network = accept_uint8(network, bytes_scale, bytes_offset)
        self._inputs = [port.get_any_name() for port in network.inputs]
        self._outputs = [port.get_any_name() for port in network.outputs]
        self._row_by_row = not whole_batch and fix_batch_to_one(network)
        self._request = core.compile_model(network, "CPU", plugin_options(threads, precision)).create_infer_request()
        if all(size.is_static for port in network.inputs for size in list(port.get_partial_shape())[1:]):
            self.run(zero_inputs(network))

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the network and return its outputs; they may be views of its memory, overwritten by the next call."""
        inputs = [tensors[name] for name in self._inputs]
        if not self._row_by_row or len(inputs[0]) == 1:
            return dict(zip(self._outputs, self._infer(inputs)))
        rows = [[out.copy() for out in self._infer([part[row : row + 1] for part in inputs])] for row in range(len(inputs[0]))]
        return {name: np.concatenate(parts) for name, parts in zip(self._outputs, zip(*rows))}

    def _infer(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        # no copies in or out: callers copy what must survive the next call
        results = self._request.infer(inputs, share_inputs=True, share_outputs=True)
        return [results[index] for index in range(len(self._outputs))]


def zero_inputs(network: openvino.Model) -> dict[str, np.ndarray]:
    """Return zeros for all inputs by name; a dynamic batch gets one row."""
    shapes = {port: [size.get_length() if size.is_static else 1 for size in port.get_partial_shape()] for port in network.inputs}
    return {port.get_any_name(): np.zeros(shape, port.element_type.to_dtype()) for port, shape in shapes.items()}


def plugin_options(threads: int, precision: str) -> dict[str, object]:
    """Return the properties of OpenVINO's CPU plug-in."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }


def fix_batch_to_one(network: openvino.Model) -> bool:
    """Fix a dynamic batch to one row; returns whether it was dynamic."""
    shapes = {port: port.get_partial_shape() for port in network.inputs}
    dynamic = {port: shape for port, shape in shapes.items() if shape.rank.is_static and len(shape) and shape[0].is_dynamic}
    for shape in dynamic.values():
        shape[0] = 1
    if dynamic:
        network.reshape({port: dynamic.get(port, shape) for port, shape in shapes.items()})
    return bool(dynamic)


def keep_outputs(network: openvino.Model, outputs: Sequence[str]) -> openvino.Model:
    """Remove everything that none of the named outputs needs; without names, keep all."""
    if not outputs:
        return network
    ports = {name: port for port in network.outputs for name in port.names}
    return openvino.Model([ports[name] for name in outputs], network.get_parameters(), network.get_friendly_name())


def accept_uint8(network: openvino.Model, scale: float, offset: float) -> openvino.Model:
    """Make the network accept uint8: x * scale + offset is computed inside the graph."""
    steps = PrePostProcessor(network)
    steps.input().tensor().set_element_type(openvino.Type.u8)
    convert = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if offset:
        convert.mean(-offset / scale)
    convert.scale(1 / scale)
    return steps.build()


@cache
def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor has bf16 instructions (AMX or AVX-512); without them bf16 is slower than f32."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(BF16_FLAGS & set(flags.split()))
