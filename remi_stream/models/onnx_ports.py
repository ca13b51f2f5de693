"""The inputs and outputs of an ONNX file, read without the onnx package.

An .onnx is a protocol buffer (onnx.proto, ModelProto); only the fields on the way to the ports are followed, weights are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import RemiError

GRAPH, INITIALIZER, INPUT, OUTPUT = 7, 5, 11, 12
NAME, TYPE, TENSOR, SHAPE, DIMENSION, SIZE = 1, 2, 1, 2, 1, 1
TENSOR_NAME = 8
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5

Shape = tuple[int | None, ...]
Bytes = memoryview


class Ports(NamedTuple):
    """Name -> shape of each; None in a shape is a number that is free."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


def read_ports(path: Path) -> Ports:
    """Read the ports of an ONNX file. Raises RemiError for a file that is cut off, or none."""
    try:
        return ports_of(memoryview(path.read_bytes()))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise RemiError(f"{path.name} is no ONNX network, or it is cut off ({error}).") from None


def ports_of(content: Bytes) -> Ports:
    """The ports of a ModelProto; weights are inputs too in old files, and are left out."""
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
    """The shape in a ValueInfoProto."""
    shape = only(only(only(port, TYPE), TENSOR), SHAPE)
    sizes = [dict(fields(dimension)).get(SIZE) for number, dimension in fields(shape) if number == DIMENSION]
    return tuple(size if isinstance(size, int) else None for size in sizes)


def only(message: Bytes | int, wanted: int) -> Bytes | int:
    """The first field of this number."""
    return next((value for number, value in fields(message) if number == wanted), memoryview(b""))


def text(value: Bytes | int) -> str:
    """A field that is a string."""
    return bytes(value).decode() if isinstance(value, memoryview) else ""


def fields(message: Bytes | int) -> Iterator[tuple[int, Bytes | int]]:
    """The fields of a protocol buffer's message: numbers with values (bytes, or whole numbers)."""
    if isinstance(message, int):
        raise ValueError("a number stands where a message should")
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
            raise ValueError("a field goes beyond its end")
        yield tag >> 3, message[at : at + length]
        at += length


def varint(message: Bytes, at: int) -> tuple[int, int]:
    """A whole number in seven-bit pieces, and where it ends."""
    value = shift = 0
    while True:
        piece = message[at]
        value, shift, at = value | (piece & 127) << shift, shift + 7, at + 1
        if piece < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number does not end")
