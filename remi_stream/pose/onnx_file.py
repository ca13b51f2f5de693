"""User-supplied ONNX files: check inputs and outputs, then load the network."""

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
    """A loaded ONNX network; one_by_one: its batch size is fixed to 1, so people are run one at a time."""

    def __init__(self, network: Runtime, one_by_one: bool = False) -> None:
        self.name = network.name
        self._network, self._one_by_one = network, one_by_one

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute the outputs, (N, ...) each, for tensors (N, ...)."""
        count = len(next(iter(tensors.values())))
        if not self._one_by_one or count == 1:
            return self._network.run(tensors)
        single = [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(count)]
        # copies: the next run may overwrite the outputs
        rows = [{name: values.copy() for name, values in self._network.run(row).items()} for row in single]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def open_file(
    manifest: Manifest, runtime: str, settings: dict[str, Any], inputs: Mapping[str, Shape], outputs: dict[str, str]
) -> OnnxFile:
    """Load the ONNX file of a manifest; raises UsageError if its inputs or outputs do not match.

    inputs: name -> shape without the batch. outputs: description for messages ("[network.heatmaps]") -> output name.
    """
    path = file_of(manifest.weights[0])
    ports = read_ports(path)
    if wrong := first_fault(ports, inputs, outputs):
        raise UsageError(f"Engine '{manifest.name}': {path.name} {wrong}.")
    network = load_runtime(runtime, path, outputs=tuple(dict.fromkeys(outputs.values())), **settings)
    return OnnxFile(network, one_by_one=all(ports.inputs[name][0] == 1 for name in inputs))


def file_of(file: ModelFile) -> Path:
    """Return the path of an ONNX file: the manifest's absolute path if it gives no hash, else the file in the model store."""
    path = Path(file.file)
    return path if path.is_absolute() and path.is_file() and not file.sha256 else model_file(file)


def first_fault(ports: Ports, inputs: Mapping[str, Shape], outputs: dict[str, str]) -> str:
    """Return the first mismatch of an ONNX file's inputs and outputs as a message, or an empty string."""
    for name, shape in inputs.items():
        if name not in ports.inputs:
            return f"has no input '{name}' (it has: {', '.join(ports.inputs) or 'none'})"
        if not fits(ports.inputs[name], shape):
            return f"has an input '{name}' of shape {told(ports.inputs[name])}, expected {told((None, *shape))}"
        if ports.inputs[name][0] not in (None, 1):
            return f"has a batch size of {ports.inputs[name][0]}; it must be dynamic or 1"
    if more := [name for name in ports.inputs if name not in inputs]:
        return f"has further inputs {', '.join(more)}, which a description cannot supply; write an adapter for it"
    for what, name in outputs.items():
        if name not in ports.outputs:
            named_in = f", which {what} names" if what != name else ""
            return f"has no output '{name}'{named_in} (it has: {', '.join(ports.outputs) or 'none'})"
    return ""


def fits(got: Shape, wanted: Shape) -> bool:
    """Return whether a shape with a batch axis matches the wanted one; dynamic axes match any size."""
    return len(got) == len(wanted) + 1 and all(have in (None, want) for have, want in zip(got[1:], wanted))


def told(shape: Shape) -> str:
    """Format a shape for messages, N for a dynamic axis: "N x 3 x 224 x 224"."""
    return " x ".join("N" if size is None else str(size) for size in shape)
