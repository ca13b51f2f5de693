"""ONNX networks as their manifest describes them: check inputs and outputs, load the network, decode its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.geometry import sigmoid
from remi_stream.inference.load import load_runtime
from remi_stream.inference.runtime import Runtime
from remi_stream.models.manifest import Manifest, ModelFile
from remi_stream.models.onnx_description import (
    HeatmapsOutput,
    JointsOutput,
    KeypointsOutput,
    OnnxDescription,
    OnnxShape,
    OnnxSignature,
    RotationsOutput,
    ScoresOutput,
    read_signature,
)
from remi_stream.models.store import ensure_model_file
from remi_stream.pose.heatmaps import HeatmapNorm, decode_argmax, decode_soft_argmax


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
    if extra := [name for name in signature.inputs if name not in inputs]:
        return f"has further inputs {', '.join(extra)}, which a description cannot supply; write an adapter for it"
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


SOFT_ARGMAX_NORMS: dict[str, HeatmapNorm] = {"softmax": "softmax", "sigmoid": "sigmoid", "absolute": "divide_sum"}
"""Values of `decode_outputs` in [network.heatmaps] that mean soft-argmax, and their norms."""


class OutputShapeError(ValueError):
    """An output has another shape than its description."""


class DecodedOutputs(NamedTuple):
    """Decoded outputs for one person; None for outputs that the network does not have."""

    points: np.ndarray | None = None
    """(K, 2), fractions of the crop, x y."""
    scores: np.ndarray | None = None
    """(K,) in [0, 1]."""
    joints: np.ndarray | None = None
    """(K, 3) m."""
    rotations: np.ndarray | None = None
    """(24, 3, 3), or (24, 3) axis-angle, rad."""
    betas: np.ndarray | None = None
    """(10,)."""
    camera: np.ndarray | None = None
    """(3,) s, tx, ty: weak perspective in the crop."""


def decode_outputs(description: OnnxDescription, joint_count: int, outputs: dict[str, np.ndarray]) -> DecodedOutputs:
    """Decode one person's outputs, by their names in the ONNX file; joint_count: of the skeleton. Raises OutputShapeError."""
    points, scores = None, None
    if description.keypoints:
        points, scores = decode_keypoints(description.keypoints, description.size, joint_count, outputs)
    if description.heatmaps:
        points, scores = decode_heatmaps(description.heatmaps, joint_count, outputs)
    if description.scores:
        scores = decode_scores(description.scores, joint_count, outputs)
    return DecodedOutputs(
        points,
        scores if scores is None else np.clip(scores, 0, 1),
        decode_joints(description.joints, joint_count, outputs) if description.joints else None,
        decode_rotations(description.rotations, outputs) if description.rotations else None,
        reshape_output(outputs[description.betas.output], (10,), "[network.betas]") if description.betas else None,
        reshape_output(outputs[description.camera.output], (3,), "[network.camera]") if description.camera else None,
    )


def decode_keypoints(
    table: KeypointsOutput, size: tuple[int, int], joint_count: int, outputs: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode key points (K, 2) to fractions of the crop of size (width, height) px, and scores (K,) from a third column."""
    values = outputs[table.output]
    scored = values.size == joint_count * 3
    rows = reshape_output(values, (joint_count, 3 if scored else 2), "[network.keypoints]")
    points = {"pixels": rows[:, :2] / size, "fraction": rows[:, :2], "signed": (rows[:, :2] + 1) / 2}[table.unit]
    return points, rows[:, 2] if scored else None


def decode_heatmaps(table: HeatmapsOutput, joint_count: int, outputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps to key points (K, 2), fractions of the crop, and scores (K,)."""
    height, width = outputs[table.output].shape[-2:]
    maps = reshape_output(outputs[table.output], (joint_count, height, width), "[network.heatmaps]").astype(np.float32)
    points, scores = decode_argmax(maps) if table.read == "peaks" else decode_soft_argmax(maps, SOFT_ARGMAX_NORMS[table.read])
    return points / (width, height), scores


def decode_scores(table: ScoresOutput, joint_count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode the key points' scores (K,)."""
    values = reshape_output(outputs[table.output], (joint_count,), "[network.scores]")
    return sigmoid(values) if table.logits else values


def decode_joints(table: JointsOutput, joint_count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode joints (K, 3), m."""
    return reshape_output(outputs[table.output], (joint_count, 3), "[network.joints]") * (0.001 if table.unit == "mm" else 1.0)


def decode_rotations(table: RotationsOutput, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode SMPL's rotations, (24, 3, 3) or (24, 3) rad."""
    shape = (24, 3, 3) if table.kind == "matrices" else (24, 3)
    return reshape_output(outputs[table.output], shape, "[network.rotations]")


def reshape_output(values: np.ndarray, shape: tuple[int, ...], table_name: str) -> np.ndarray:
    """Reshape one person's output to float64 of this shape. Raises OutputShapeError, which mentions table_name."""
    # a flat output, or one with axes of size 1, will do too
    if values.squeeze().shape not in (tuple(size for size in shape if size > 1), (np.prod(shape),)):
        raise OutputShapeError(
            f"the output of {table_name} is {format_shape((None, *values.shape))}, expected {format_shape((None, *shape))}"
        )
    return values.reshape(shape).astype(np.float64)
