"""Decode the outputs of an ONNX network as its manifest describes them: key points, heatmaps, joints, SMPL parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.models.description import Description, Joints, Maps, Points, Rotations, Scores
from remi_stream.pose.heatmaps import Norm, means, peaks
from remi_stream.pose.onnx_file import told

NORMS: dict[str, Norm] = {"softmax": "softmax", "sigmoid": "sigmoid", "absolute": "divide_sum"}
"""Values of `read` in [network.heatmaps] that mean soft-argmax, and their norms."""


class ShapeError(ValueError):
    """An output has another shape than its description."""


class Meaning(NamedTuple):
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


def read(network: Description, count: int, outputs: dict[str, np.ndarray]) -> Meaning:
    """Decode one person's outputs, by their names in the ONNX file; count: joints of the skeleton. Raises ShapeError."""
    points, scores = None, None
    if network.keypoints:
        points, scores = read_points(network.keypoints, network.size, count, outputs)
    if network.heatmaps:
        points, scores = read_maps(network.heatmaps, count, outputs)
    if network.scores:
        scores = read_scores(network.scores, count, outputs)
    return Meaning(
        points,
        scores if scores is None else np.clip(scores, 0, 1),
        read_joints(network.joints, count, outputs) if network.joints else None,
        read_rotations(network.rotations, outputs) if network.rotations else None,
        shaped(outputs[network.betas.output], (10,), "[network.betas]") if network.betas else None,
        shaped(outputs[network.camera.output], (3,), "[network.camera]") if network.camera else None,
    )


def read_points(
    table: Points, size: tuple[int, int], count: int, outputs: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode key points (K, 2) to fractions of the crop of size (width, height) px, and scores (K,) from a third column."""
    values = outputs[table.output]
    scored = values.size == count * 3
    rows = shaped(values, (count, 3 if scored else 2), "[network.keypoints]")
    points = {"pixels": rows[:, :2] / size, "fraction": rows[:, :2], "signed": (rows[:, :2] + 1) / 2}[table.unit]
    return points, rows[:, 2] if scored else None


def read_maps(table: Maps, count: int, outputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps to key points (K, 2), fractions of the crop, and scores (K,)."""
    height, width = outputs[table.output].shape[-2:]
    maps = shaped(outputs[table.output], (count, height, width), "[network.heatmaps]").astype(np.float32)
    points, scores = peaks(maps) if table.read == "peaks" else means(maps, NORMS[table.read])
    return points / (width, height), scores


def read_scores(table: Scores, count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode the key points' scores (K,)."""
    values = shaped(outputs[table.output], (count,), "[network.scores]")
    return 1 / (1 + np.exp(-np.clip(values, -80, 80))) if table.logits else values


def read_joints(table: Joints, count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode joints (K, 3), m."""
    return shaped(outputs[table.output], (count, 3), "[network.joints]") * (0.001 if table.unit == "mm" else 1.0)


def read_rotations(table: Rotations, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Decode SMPL's rotations, (24, 3, 3) or (24, 3) rad."""
    shape = (24, 3, 3) if table.kind == "matrices" else (24, 3)
    return shaped(outputs[table.output], shape, "[network.rotations]")


def shaped(values: np.ndarray, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Reshape one person's output to float64 of this shape. Raises ShapeError; what: the description's table, for the message."""
    if values.squeeze().shape not in (tuple(size for size in shape if size > 1), (np.prod(shape),)):
        raise ShapeError(f"the output of {what} is {told((None, *values.shape))}, expected {told((None, *shape))}")
    return values.reshape(shape).astype(np.float64)
