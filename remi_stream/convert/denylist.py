"""Operators that TensorRT's parser refuses, or takes and gets wrong, and what to write instead: told before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError


class Denied(NamedTuple):
    """An operator that must not be in a graph. when: of a node and the element types by name; why: for people."""

    operator: str
    when: Callable[[Any, dict[str, int]], bool]
    why: str


UINT8 = 2
"""Of ONNX's element types (TensorProto.DataType)."""
SHUFFLES = ("Transpose", "Reshape", "Slice", "Gather", "Concat", "Squeeze", "Unsqueeze", "Flatten")
CONVOLUTIONS = ("Conv", "ConvTranspose")


def always(_node: Any, _types: dict[str, int]) -> bool:
    """Denied wherever it is."""
    return True


def bytes_in(node: Any, types: dict[str, int]) -> bool:
    """Denied where it reads bytes."""
    return bool(node.input) and types.get(node.input[0]) == UINT8


def mixed(node: Any, types: dict[str, int]) -> bool:
    """Denied where its input and its weights are of different types."""
    known = {types[name] for name in node.input[:2] if name in types}
    return len(known) > 1


def antialiased(node: Any, _types: dict[str, int]) -> bool:
    """Denied with antialiasing."""
    return any(each.name == "antialias" and each.i for each in node.attribute)


MASK = "what it gives has a shape that depends on the data; multiply by the mask, or use Where"
DENIED = (
    *(Denied(name, bytes_in, "bytes cannot be moved about; turn them into numbers first (Cast)") for name in SHUFFLES),
    *(
        Denied(name, mixed, "the input and the weights are of different types (bfloat16?); make them one")
        for name in CONVOLUTIONS
    ),
    *(Denied(name, always, MASK) for name in ("NonZero", "Compress", "Unique")),
    Denied("Resize", antialiased, "antialiasing is not supported; resize outside of the network"),
    Denied("Det", always, "determinants are not supported; write it as products"),
)
EXPORT_FAILS = {
    "linalg_svd": "a singular value decomposition (do it after the network, on the CPU)",
    "linalg_inv": "a matrix inverse (of a rotation, use the transpose)",
}
"""What has no ONNX: the name in the exporter's message, and what it is for people."""
TORCH_TENSORRT_FAILS = {
    "aten.unfold": "unfold (write it as slices)",
    "aten.im2col": "unfold (write it as slices)",
    "aten.cross": "torch.cross (write it as products of parts)",
    "aten.linalg_cross": "torch.cross (write it as products of parts)",
}
"""What torch-tensorrt alone refuses: the operator in an exported program, and its name for people."""


def check_graph(onnx: Path) -> None:
    """Raise RemiError that names every denied operator of an ONNX, its node, and what to do instead."""
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
    """The nodes of a graph, and of the graphs in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_in(attribute.g)


def types_in(graph: Any) -> dict[str, int]:
    """The element type of every tensor whose type is known."""
    values = (*graph.input, *graph.value_info, *graph.output)
    known = {value.name: value.type.tensor_type.elem_type for value in values}
    return known | {weight.name: weight.data_type for weight in graph.initializer}


def explain_export(error: Exception) -> str:
    """What in a network made its export fail, if it is on the list, else nothing."""
    return next((what for name, what in EXPORT_FAILS.items() if name in str(error)), "")


def check_program(program: Any) -> None:
    """Raise RemiError for an exported program (torch.export) with operators that torch-tensorrt refuses."""
    operators = {str(node.target).rpartition(".")[0] for node in program.graph.nodes if node.op == "call_function"}
    faults = sorted({TORCH_TENSORRT_FAILS[name] for name in operators & TORCH_TENSORRT_FAILS.keys()})
    if faults:
        raise RemiError(f"torch-tensorrt cannot run this network: it has {', '.join(faults)}. Use --via tensorrt")
