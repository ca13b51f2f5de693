"""An ONNX file of the user's, with the inputs and outputs that it must have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.models.manifest import Manifest, ModelFile
from remi_stream.models.onnx_ports import Ports, Shape, read_ports
from remi_stream.models.store import model_file
from remi_stream.runtimes.runtime import Runtime, load_runtime


class OnnxFile:
    """Runs an ONNX network; one_by_one: a person a call, because its batch is fixed to one."""

    def __init__(self, network: Runtime, one_by_one: bool = False) -> None:
        self.name = network.name
        self._network, self._one_by_one = network, one_by_one

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute the outputs, (N, ...) each, for tensors (N, ...)."""
        count = len(next(iter(tensors.values())))
        if not self._one_by_one or count == 1:
            return self._network.run(tensors)
        single = [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(count)]
        rows = [{name: values.copy() for name, values in self._network.run(row).items()} for row in single]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def open_file(
    manifest: Manifest, runtime: str, settings: dict[str, Any], inputs: Mapping[str, Shape], outputs: dict[str, str]
) -> OnnxFile:
    """Load the ONNX file of a manifest, once its ports are what they must be.

    inputs: name -> shape without the batch. outputs: what each is, for people ("[network.heatmaps]") -> its name.
    """
    path = file_of(manifest.weights[0])
    ports = read_ports(path)
    if wrong := first_fault(ports, inputs, outputs):
        raise UsageError(f"Engine '{manifest.name}': {path.name} {wrong}.")
    network = load_runtime(runtime, path, outputs=tuple(dict.fromkeys(outputs.values())), **settings)
    return OnnxFile(network, one_by_one=all(ports.inputs[name][0] == 1 for name in inputs))


def file_of(file: ModelFile) -> Path:
    """Where an ONNX file is: in the store, or where its manifest says, if that is enough (no hash is to be compared)."""
    path = Path(file.file)
    return path if path.is_absolute() and path.is_file() and not file.sha256 else model_file(file)


def first_fault(ports: Ports, inputs: Mapping[str, Shape], outputs: dict[str, str]) -> str:
    """What is wrong with the ports of an ONNX file, in one line; nothing when they are what they must be."""
    for name, shape in inputs.items():
        if name not in ports.inputs:
            return f"has no input '{name}' (it has: {', '.join(ports.inputs) or 'none'})"
        if not fits(ports.inputs[name], shape):
            return f"has an input '{name}' of {told(ports.inputs[name])}; it is to read {told((None, *shape))}"
        if ports.inputs[name][0] not in (None, 1):
            return f"has a batch of {ports.inputs[name][0]}; it must be free, or 1"
    if more := [name for name in ports.inputs if name not in inputs]:
        return f"also reads {', '.join(more)}, which a description cannot give; it needs an adapter of its own"
    for what, name in outputs.items():
        if name not in ports.outputs:
            asked = f", which {what} names" if what != name else ""
            return f"has no output '{name}'{asked} (it has: {', '.join(ports.outputs) or 'none'})"
    return ""


def fits(got: Shape, wanted: Shape) -> bool:
    """Whether a shape with a batch in front is the wanted one; what is free fits."""
    return len(got) == len(wanted) + 1 and all(have in (None, want) for have, want in zip(got[1:], wanted))


def told(shape: Shape) -> str:
    """A shape for people: N for what is free."""
    return " x ".join("N" if size is None else str(size) for size in shape)
