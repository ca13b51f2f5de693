"""Inputs and outputs of an ONNX file, read without the onnx package.

An .onnx is a protocol buffer (onnx.proto, ModelProto); only the fields that lead to inputs and outputs are parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import RemiError

GRAPH, INITIALIZER, INPUT, OUTPUT = 7, 5, 11, 12
NAME, TYPE, TENSOR, SHAPE, DIMENSION, SIZE = 1, 2, 1, 2, 1, 1
TENSOR_NAME = 8
"""Field numbers of onnx.proto: GraphProto, ValueInfoProto, TypeProto, TensorShapeProto, TensorProto."""
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
"""Wire types of protocol buffers."""

Shape = tuple[int | None, ...]
Bytes = memoryview


class Ports(NamedTuple):
    """Names and shapes of inputs and outputs; None in a shape is a dynamic size."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


def read_ports(path: Path) -> Ports:
    """Read the inputs and outputs of an ONNX file. Raises RemiError if it is truncated or not ONNX."""
    try:
        return ports_of(memoryview(path.read_bytes()))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise RemiError(f"{path.name} is not an ONNX network, or it is truncated ({error}).") from None


def ports_of(content: Bytes) -> Ports:
    """Parse a ModelProto; weights, which old files list as inputs too, are left out."""
    graphs = [value for number, value in fields(content) if number == GRAPH]
    if len(graphs) != 1 or isinstance(graphs[0], int):
        raise ValueError("it has no graph")
    inputs: dict[str, Shape] = {}
    outputs: dict[str, Shape] = {}
    weights = set()
    for number, value in fields(graphs[0]):
        if number == INITIALIZER:
            weights.add(text(only(value, TENSOR_NAME)))
        elif number in (INPUT, OUTPUT):
            (inputs if number == INPUT else outputs)[text(only(value, NAME))] = shape_of(value)
    return Ports({name: shape for name, shape in inputs.items() if name not in weights}, outputs)


def shape_of(port: Bytes | int) -> Shape:
    """Return the shape in a ValueInfoProto."""
    shape = only(only(only(port, TYPE), TENSOR), SHAPE)
    sizes = [dict(fields(dimension)).get(SIZE) for number, dimension in fields(shape) if number == DIMENSION]
    return tuple(size if isinstance(size, int) else None for size in sizes)


def only(message: Bytes | int, wanted: int) -> Bytes | int:
    """Return the first field of this number; empty bytes if there is none."""
    return next((value for number, value in fields(message) if number == wanted), memoryview(b""))


def text(value: Bytes | int) -> str:
    """Decode a string field."""
    return bytes(value).decode() if isinstance(value, memoryview) else ""


def fields(message: Bytes | int) -> Iterator[tuple[int, Bytes | int]]:
    """Iterate over the fields of a protocol buffer message: field number and value (bytes or integer)."""
    if isinstance(message, int):
        raise ValueError("found a number instead of a message")
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield tag >> 3, value
            continue
        length = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(kind)
        if kind == BYTES:
            length, at = varint(message, at)
        if length is None or at + length > len(message):
            raise ValueError("a field exceeds the message")
        yield tag >> 3, message[at : at + length]
        at += length


def varint(message: Bytes, at: int) -> tuple[int, int]:
    """Read a varint; returns its value and the position after it."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a varint does not end")
