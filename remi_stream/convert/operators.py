"""Unsupported operators: what TensorRT's parser refuses or computes wrongly, found before the build, with advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError


class UnsupportedOperator(NamedTuple):
    """An operator that must not be in an ONNX graph."""

    operator: str
    """ONNX operator type: "Resize"."""
    condition: Callable[[Any, dict[str, int]], bool]
    """Whether a node is affected, given the node and the element types of tensors by name."""
    advice: str
    """Reason and advice for the error message."""


UINT8 = 2
"""ONNX element type (TensorProto.DataType.UINT8)."""
# The rules were found with TensorRT-RTX's parser; tests/convert/test_operators.py gives it refused and allowed cases.
DATA_MOVEMENT_OPERATORS = ("Transpose", "Reshape", "Slice", "Gather", "Concat", "Squeeze", "Unsqueeze", "Flatten")
CONVOLUTIONS = ("Conv", "ConvTranspose")


def always(_node: Any, _types: dict[str, int]) -> bool:
    """Match any node."""
    return True


def reads_uint8(node: Any, types: dict[str, int]) -> bool:
    """Match a node whose first input is uint8."""
    return bool(node.input) and types.get(node.input[0]) == UINT8


def has_mixed_types(node: Any, types: dict[str, int]) -> bool:
    """Match a node whose input and weights have different element types."""
    known = {types[name] for name in node.input[:2] if name in types}
    return len(known) > 1


def is_antialiased(node: Any, _types: dict[str, int]) -> bool:
    """Match a node with the antialias attribute."""
    return any(each.name == "antialias" and each.i for each in node.attribute)


MASK_ADVICE = "its output shape depends on the data; multiply by the mask, or use Where"
UNSUPPORTED_OPERATORS = (
    *(
        UnsupportedOperator(name, reads_uint8, "uint8 tensors cannot be rearranged; convert them to float first (Cast)")
        for name in DATA_MOVEMENT_OPERATORS
    ),
    *(
        UnsupportedOperator(name, has_mixed_types, "the input and the weights have different types (bfloat16?); use one type")
        for name in CONVOLUTIONS
    ),
    *(UnsupportedOperator(name, always, MASK_ADVICE) for name in ("NonZero", "Compress", "Unique")),
    UnsupportedOperator("Resize", is_antialiased, "antialiasing is not supported; resize outside the network"),
    UnsupportedOperator("Det", always, "determinants are not supported; write it as products"),
)
UNEXPORTABLE_OPERATORS = {
    "linalg_svd": "a singular value decomposition (do it after the network, on the CPU)",
    "linalg_inv": "a matrix inverse (of a rotation, use the transpose)",
}
"""Operators without an ONNX equivalent: name in the exporter's message -> description with advice."""
TORCH_TENSORRT_UNSUPPORTED = {
    "aten.unfold": "unfold (write it as slices)",
    "aten.im2col": "unfold (write it as slices)",
    "aten.cross": "torch.cross (write it as products of parts)",
    "aten.linalg_cross": "torch.cross (write it as products of parts)",
}
"""Operators that only torch-tensorrt refuses: name in an exported program -> description with advice."""


def check_onnx_operators(onnx: Path) -> None:
    """Raise RemiError that names each unsupported operator of an ONNX file, its node and the advice."""
    import onnx as library

    model = library.shape_inference.infer_shapes(library.load(onnx))
    types = element_types(model.graph)
    faults = {
        f"{node.op_type} ({node.name or 'unnamed'}): {rule.advice}"
        for node in iterate_nodes(model.graph)
        for rule in UNSUPPORTED_OPERATORS
        if rule.operator == node.op_type and rule.condition(node, types)
    }
    if faults:
        raise RemiError(f"TensorRT cannot run {onnx.name}: {'; '.join(sorted(faults))}.")


def iterate_nodes(graph: Any) -> Iterator[Any]:
    """Iterate over the nodes of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from iterate_nodes(attribute.g)


def element_types(graph: Any) -> dict[str, int]:
    """Return the known element types of tensors by name."""
    values = (*graph.input, *graph.value_info, *graph.output)
    known = {value.name: value.type.tensor_type.elem_type for value in values}
    return known | {weight.name: weight.data_type for weight in graph.initializer}


def export_failure_reason(error: Exception) -> str:
    """Return the known reason of a failed ONNX export; empty if it is not known."""
    return next((reason for name, reason in UNEXPORTABLE_OPERATORS.items() if name in str(error)), "")


def check_program_operators(program: Any) -> None:
    """Raise RemiError for an exported program (torch.export) with operators that torch-tensorrt refuses."""
    operators = {str(node.target).rpartition(".")[0] for node in program.graph.nodes if node.op == "call_function"}
    faults = sorted({TORCH_TENSORRT_UNSUPPORTED[name] for name in operators & TORCH_TENSORRT_UNSUPPORTED.keys()})
    if faults:
        raise RemiError(f"torch-tensorrt cannot run this network: it has {', '.join(faults)}. Use --via tensorrt")
