"""Decode the outputs of an ONNX network as its manifest describes them: key points, heatmaps, joints, SMPL parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.models.description import (
    HeatmapsOutput,
    JointsOutput,
    KeypointsOutput,
    OnnxDescription,
    RotationsOutput,
    ScoresOutput,
)
from remi_stream.pose.heatmaps import HeatmapNorm, decode_argmax, decode_soft_argmax
from remi_stream.pose.onnx_file import format_shape

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
    """Decode one person's outputs, by their names in the ONNX file; joint_count: joints of the skeleton. Raises ShapeError."""
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
    return 1 / (1 + np.exp(-np.clip(values, -80, 80))) if table.logits else values


def decode_joints(table: JointsOutput, joint_count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode joints (K, 3), m."""
    return reshape_output(outputs[table.output], (joint_count, 3), "[network.joints]") * (0.001 if table.unit == "mm" else 1.0)


def decode_rotations(table: RotationsOutput, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode SMPL's rotations, (24, 3, 3) or (24, 3) rad."""
    shape = (24, 3, 3) if table.kind == "matrices" else (24, 3)
    return reshape_output(outputs[table.output], shape, "[network.rotations]")


def reshape_output(values: np.ndarray, shape: tuple[int, ...], table_name: str) -> np.ndarray:
    """Reshape one person's output to float64 of this shape. Raises ShapeError; table_name: the description's table, for the message."""
    if values.squeeze().shape not in (tuple(size for size in shape if size > 1), (np.prod(shape),)):
        raise OutputShapeError(
            f"the output of {table_name} is {format_shape((None, *values.shape))}, expected {format_shape((None, *shape))}"
        )
    return values.reshape(shape).astype(np.float64)
