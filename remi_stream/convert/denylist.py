"""Unsupported operators: what TensorRT's parser refuses or computes wrongly, found before the build, with advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError


class Denied(NamedTuple):
    """An operator that must not be in an ONNX graph."""

    operator: str
    """ONNX operator type: "Resize"."""
    when: Callable[[Any, dict[str, int]], bool]
    """Whether a node is affected, given the node and the element types of tensors by name."""
    why: str
    """Reason and advice for the error message."""


UINT8 = 2
"""ONNX element type (TensorProto.DataType.UINT8)."""
SHUFFLES = ("Transpose", "Reshape", "Slice", "Gather", "Concat", "Squeeze", "Unsqueeze", "Flatten")
CONVOLUTIONS = ("Conv", "ConvTranspose")


def always(_node: Any, _types: dict[str, int]) -> bool:
    """Match any node."""
    return True


def bytes_in(node: Any, types: dict[str, int]) -> bool:
    """Match a node whose first input is uint8."""
    return bool(node.input) and types.get(node.input[0]) == UINT8


def mixed(node: Any, types: dict[str, int]) -> bool:
    """Match a node whose input and weights have different element types."""
    known = {types[name] for name in node.input[:2] if name in types}
    return len(known) > 1


def antialiased(node: Any, _types: dict[str, int]) -> bool:
    """Match a node with the antialias attribute."""
    return any(each.name == "antialias" and each.i for each in node.attribute)


MASK = "its output shape depends on the data; multiply by the mask, or use Where"
DENIED = (
    *(Denied(name, bytes_in, "uint8 tensors cannot be rearranged; convert them to float first (Cast)") for name in SHUFFLES),
    *(Denied(name, mixed, "the input and the weights have different types (bfloat16?); use one type") for name in CONVOLUTIONS),
    *(Denied(name, always, MASK) for name in ("NonZero", "Compress", "Unique")),
    Denied("Resize", antialiased, "antialiasing is not supported; resize outside the network"),
    Denied("Det", always, "determinants are not supported; write it as products"),
)
EXPORT_FAILS = {
    "linalg_svd": "a singular value decomposition (do it after the network, on the CPU)",
    "linalg_inv": "a matrix inverse (of a rotation, use the transpose)",
}
"""Operators without an ONNX equivalent: name in the exporter's message -> description with advice."""
TORCH_TENSORRT_FAILS = {
    "aten.unfold": "unfold (write it as slices)",
    "aten.im2col": "unfold (write it as slices)",
    "aten.cross": "torch.cross (write it as products of parts)",
    "aten.linalg_cross": "torch.cross (write it as products of parts)",
}
"""Operators that only torch-tensorrt refuses: name in an exported program -> description with advice."""


def check_graph(onnx: Path) -> None:
    """Raise RemiError that names each unsupported operator of an ONNX file, its node and the advice."""
    import onnx as library

    model = library.shape_inference.infer_shapes(library.load(onnx))
    types = types_in(model.graph)
    faults = {
        f"{node.op_type} ({node.name or 'unnamed'}): {rule.why}"
        for node in nodes_in(model.graph)
        for rule in DENIED
        if rule.operator == node.op_type and rule.when(node, types)
    }
    if faults:
        raise RemiError(f"TensorRT cannot run {onnx.name}: {'; '.join(sorted(faults))}.")


def nodes_in(graph: Any) -> Iterator[Any]:
    """Iterate over the nodes of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_in(attribute.g)


def types_in(graph: Any) -> dict[str, int]:
    """Return the known element types of tensors by name."""
    values = (*graph.input, *graph.value_info, *graph.output)
    known = {value.name: value.type.tensor_type.elem_type for value in values}
    return known | {weight.name: weight.data_type for weight in graph.initializer}


def explain_export(error: Exception) -> str:
    """Return the known reason of a failed ONNX export; empty if it is not known."""
    return next((reason for name, reason in EXPORT_FAILS.items() if name in str(error)), "")


def check_program(program: Any) -> None:
    """Raise RemiError for an exported program (torch.export) with operators that torch-tensorrt refuses."""
    operators = {str(node.target).rpartition(".")[0] for node in program.graph.nodes if node.op == "call_function"}
    faults = sorted({TORCH_TENSORRT_FAILS[name] for name in operators & TORCH_TENSORRT_FAILS.keys()})
    if faults:
        raise RemiError(f"torch-tensorrt cannot run this network: it has {', '.join(faults)}. Use --via tensorrt")
