"""User-supplied ONNX files: check inputs and outputs, then load the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.models.manifest import Manifest, ModelFile
from remi_stream.models.onnx_ports import OnnxShape, OnnxSignature, read_signature
from remi_stream.models.store import ensure_model_file
from remi_stream.runtimes.runtime import Runtime, load_runtime


class OnnxModel:
    """A loaded ONNX network; has_batch_of_one: its batch size is fixed to 1, so people are run one at a time."""

    def __init__(self, network: Runtime, has_batch_of_one: bool = False) -> None:
        self.name = network.name
        self._network, self._one_by_one = network, has_batch_of_one

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute the outputs, (N, ...) each, for tensors (N, ...)."""
        count = len(next(iter(tensors.values())))
        if not self._one_by_one or count == 1:
            return self._network.run(tensors)
        single = [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(count)]
        # copies: the next run may overwrite the outputs
        rows = [{name: values.copy() for name, values in self._network.run(row).items()} for row in single]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def load_onnx_model(
    manifest: Manifest, runtime: str, settings: dict[str, Any], inputs: Mapping[str, OnnxShape], outputs: dict[str, str]
) -> OnnxModel:
    """Load the ONNX file of a manifest; raises UsageError if its inputs or outputs do not match.

    inputs: name -> shape without the batch. outputs: description for messages ("[network.heatmaps]") -> output name.
    """
    path = onnx_path(manifest.weights[0])
    ports = read_signature(path)
    if wrong := signature_error(ports, inputs, outputs):
        raise UsageError(f"Engine '{manifest.name}': {path.name} {wrong}.")
    network = load_runtime(runtime, path, outputs=tuple(dict.fromkeys(outputs.values())), **settings)
    return OnnxModel(network, has_batch_of_one=all(ports.inputs[name][0] == 1 for name in inputs))


def onnx_path(file: ModelFile) -> Path:
    """Return the path of an ONNX file: the manifest's absolute path if it gives no hash, else the file in the model store."""
    path = Path(file.file)
    return path if path.is_absolute() and path.is_file() and not file.sha256 else ensure_model_file(file)


def signature_error(signature: OnnxSignature, inputs: Mapping[str, OnnxShape], outputs: dict[str, str]) -> str:
    """Return the first mismatch of an ONNX file's inputs and outputs as a message, or an empty string."""
    for name, shape in inputs.items():
        if name not in signature.inputs:
            return f"has no input '{name}' (it has: {', '.join(signature.inputs) or 'none'})"
        if not shape_matches(signature.inputs[name], shape):
            return (
                f"has an input '{name}' of shape {format_shape(signature.inputs[name])}, expected {format_shape((None, *shape))}"
            )
        if signature.inputs[name][0] not in (None, 1):
            return f"has a batch size of {signature.inputs[name][0]}; it must be dynamic or 1"
    if more := [name for name in signature.inputs if name not in inputs]:
        return f"has further inputs {', '.join(more)}, which a description cannot supply; write an adapter for it"
    for what, name in outputs.items():
        if name not in signature.outputs:
            named_in = f", which {what} names" if what != name else ""
            return f"has no output '{name}'{named_in} (it has: {', '.join(signature.outputs) or 'none'})"
    return ""


def shape_matches(actual: OnnxShape, expected: OnnxShape) -> bool:
    """Return whether a shape with a batch axis matches the wanted one; dynamic axes match any size."""
    return len(actual) == len(expected) + 1 and all(have in (None, want) for have, want in zip(actual[1:], expected))


def format_shape(shape: OnnxShape) -> str:
    """Format a shape for messages, N for a dynamic axis: "N x 3 x 224 x 224"."""
    return " x ".join("N" if size is None else str(size) for size in shape)
