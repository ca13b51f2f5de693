"""Reads JSON and YAML files that may come from strangers: whatever is in them ends in a ValueError that says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec

MAX_JSON_BYTES, MAX_YAML_BYTES = 1 << 30, 1 << 20
"""Largest files: the people of hours of video; a pipeline file."""
MAX_YAML_ITEMS = 100_000
"""Items of a YAML file, if each is counted wherever an alias repeats it."""
CHUNK_BYTES = 1 << 20

T = TypeVar("T")


def read_limited(path: Path, max_bytes: int) -> bytearray:
    """Read a file, or a pipe. Raises OSError, or ValueError if it is larger than allowed."""
    data = bytearray()
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            data += piece
            if len(data) > max_bytes:
                raise ValueError(f"it has more than {max_bytes / 1e6:.0f} MB")
    return data


@overload
def decode_json(data: bytes | bytearray) -> Any: ...
@overload
def decode_json(data: bytes | bytearray, kind: type[T]) -> T: ...


def decode_json(data: bytes | bytearray, kind: Any = None) -> Any:
    """Decode JSON to a type; without one to plain containers, with NaN and Infinity as Python writes them. Raises ValueError."""
    try:
        return json.loads(data) if kind is None else msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (msgspec.MsgspecError, OverflowError, MemoryError) as error:
        raise ValueError(str(error) or "it takes too much memory") from None


@overload
def read_json(path: Path) -> Any: ...
@overload
def read_json(path: Path, kind: type[T]) -> T: ...


def read_json(path: Path, kind: Any = None) -> Any:
    """Read a JSON file as `decode_json` does. Raises OSError or ValueError."""
    return decode_json(read_limited(path, MAX_JSON_BYTES), kind)


def read_yaml(path: Path) -> Any:
    """Read a YAML file of plain values. Raises OSError or ValueError."""
    import yaml  # here, because worker processes import this module and never read YAML

    try:
        loader = yaml.SafeLoader(read_limited(path, MAX_YAML_BYTES).decode())
        node = loader.get_single_node()
        if node is None:
            return None
        if expanded_items(node, {}) > MAX_YAML_ITEMS:
            raise ValueError(f"with its aliases it has more than {MAX_YAML_ITEMS} items")
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def expanded_items(node: Any, known: dict[int, int]) -> int:
    """Return how many items a YAML node has, those of aliases each time. known: by identity, of the nodes counted so far."""
    if id(node) not in known:
        known[id(node)] = MAX_YAML_ITEMS  # while it is counted: a node that contains itself is refused
        inside = node.value if isinstance(node.value, list) else []
        items = [each for pair in inside for each in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(expanded_items(each, known) for each in items)
    return known[id(node)]
