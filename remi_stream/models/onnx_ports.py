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

OnnxShape = tuple[int | None, ...]
Message = memoryview


class OnnxSignature(NamedTuple):
    """Names and shapes of inputs and outputs; None in a shape is a dynamic size."""

    inputs: dict[str, OnnxShape]
    outputs: dict[str, OnnxShape]


def read_signature(path: Path) -> OnnxSignature:
    """Read the inputs and outputs of an ONNX file. Raises RemiError if it is truncated or not ONNX."""
    try:
        return parse_signature(memoryview(path.read_bytes()))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise RemiError(f"{path.name} is not an ONNX network, or it is truncated ({error}).") from None


def parse_signature(content: Message) -> OnnxSignature:
    """Parse a ModelProto; weights, which old files list as inputs too, are left out."""
    graphs = [value for number, value in iterate_fields(content) if number == GRAPH]
    if len(graphs) != 1 or isinstance(graphs[0], int):
        raise ValueError("it has no graph")
    inputs: dict[str, OnnxShape] = {}
    outputs: dict[str, OnnxShape] = {}
    weights = set()
    for number, value in iterate_fields(graphs[0]):
        if number == INITIALIZER:
            weights.add(decode_string(first_field(value, TENSOR_NAME)))
        elif number in (INPUT, OUTPUT):
            (inputs if number == INPUT else outputs)[decode_string(first_field(value, NAME))] = tensor_shape(value)
    return OnnxSignature({name: shape for name, shape in inputs.items() if name not in weights}, outputs)


def tensor_shape(port: Message | int) -> OnnxShape:
    """Return the shape in a ValueInfoProto."""
    shape = first_field(first_field(first_field(port, TYPE), TENSOR), SHAPE)
    sizes = [dict(iterate_fields(dimension)).get(SIZE) for number, dimension in iterate_fields(shape) if number == DIMENSION]
    return tuple(size if isinstance(size, int) else None for size in sizes)


def first_field(message: Message | int, number: int) -> Message | int:
    """Return the first field of this number; empty bytes if there is none."""
    return next((value for number, value in iterate_fields(message) if number == number), memoryview(b""))


def decode_string(value: Message | int) -> str:
    """Decode a string field."""
    return bytes(value).decode() if isinstance(value, memoryview) else ""


def iterate_fields(message: Message | int) -> Iterator[tuple[int, Message | int]]:
    """Iterate over the fields of a protocol buffer message: field number and value (bytes or integer)."""
    if isinstance(message, int):
        raise ValueError("found a number instead of a message")
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = read_varint(message, at)
            yield tag >> 3, value
            continue
        length = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(kind)
        if kind == BYTES:
            length, at = read_varint(message, at)
        if length is None or at + length > len(message):
            raise ValueError("a field exceeds the message")
        yield tag >> 3, message[at : at + length]
        at += length


def read_varint(message: Message, position: int) -> tuple[int, int]:
    """Read a varint; returns its value and the position after it."""
    value = shift = 0
    while True:
        byte = message[position]
        value, shift, position = value | (byte & 127) << shift, shift + 7, position + 1
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("a varint does not end")
