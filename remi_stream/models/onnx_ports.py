"""Inputs and outputs of an ONNX file, read by OpenVINO's ONNX frontend.

The frontend only loads the graph: it converts no operator (a network with operators that OpenVINO lacks is read too), follows no
external data out of the file's folder, and takes 0.4 s for 120 MB. It runs in this process, on files that may come from a
stranger: of 9500 randomly damaged files none crashed OpenVINO 2026.4 or took more than 30 ms (tests/models/test_onnx_ports.py).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError
from remi_stream.models.safe_pickle import MAX_REASON_CHARS

OnnxShape = tuple[int | None, ...]


class OnnxSignature(NamedTuple):
    """Names and shapes of inputs and outputs; None in a shape is a dynamic size, () an unknown shape."""

    inputs: dict[str, OnnxShape]
    """Without weights, which old files list as inputs too."""
    outputs: dict[str, OnnxShape]


def read_signature(path: Path) -> OnnxSignature:
    """Read the inputs and outputs of an ONNX file. Raises RemiError if it is truncated or not ONNX."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else importing OpenVINO sends telemetry to Intel
    from openvino.frontend import FrontEndManager, GeneralFailure

    try:
        graph = FrontEndManager().load_by_framework("onnx").load(path)
        inputs, outputs = (read_ports(graph, places) for places in (graph.get_inputs(), graph.get_outputs()))
    except (GeneralFailure, RuntimeError, ValueError) as error:
        reason = re.sub(r"[^ -~]", "?", str(error).strip().rpartition("\n")[2])[:MAX_REASON_CHARS]
        raise RemiError(f"{path.name} is not an ONNX network, or it is truncated ({reason}).") from None
    if not outputs:
        raise RemiError(f"{path.name} is not an ONNX network, or it is truncated (it has no outputs).")
    return OnnxSignature(inputs, outputs)


def read_ports(graph: Any, places: list[Any]) -> dict[str, OnnxShape]:
    """Return the shapes of a graph's inputs or outputs by name."""
    shapes = {place.get_names()[0]: graph.get_partial_shape(place) for place in places}
    return {
        name: () if shape.rank.is_dynamic else tuple(size.get_length() if size.is_static else None for size in shape)
        for name, shape in shapes.items()
    }
