"""What a described network's outputs say of one person, as its manifest reads them: points of the crop, joints in space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.models.description import Description, Joints, Maps, Points, Rotations, Scores
from remi_stream.pose.heatmaps import Norm, means, peaks
from remi_stream.pose.onnx_file import told

NORMS: dict[str, Norm] = {"softmax": "softmax", "sigmoid": "sigmoid", "absolute": "divide_sum"}


class ShapeError(ValueError):
    """An output has other numbers in it than its description says."""


class Meaning(NamedTuple):
    """What was found of one person; None for what the network does not tell.

    points: (K, 2), as fractions of the crop, x y. scores: (K,) in [0, 1]. joints: (K, 3) m. rotations: (24, 3, 3) or (24, 3)
    rad. betas: (10,). camera: (3,) s, tx, ty.
    """

    points: np.ndarray | None = None
    scores: np.ndarray | None = None
    joints: np.ndarray | None = None
    rotations: np.ndarray | None = None
    betas: np.ndarray | None = None
    camera: np.ndarray | None = None


def read(network: Description, count: int, outputs: dict[str, np.ndarray]) -> Meaning:
    """Read one person's outputs, by their names in the ONNX; count: joints of the skeleton. Raises ShapeError."""
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
    """Key points (K, 2) as fractions of the crop of size (width, height) px, and their scores (K,) if they come with some."""
    values = outputs[table.output]
    scored = values.size == count * 3
    rows = shaped(values, (count, 3 if scored else 2), "[network.keypoints]")
    points = {"pixels": rows[:, :2] / size, "fraction": rows[:, :2], "signed": (rows[:, :2] + 1) / 2}[table.unit]
    return points, rows[:, 2] if scored else None


def read_maps(table: Maps, count: int, outputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where the maps have joints, (K, 2) as fractions, and how sure they are, (K,)."""
    height, width = outputs[table.output].shape[-2:]
    maps = shaped(outputs[table.output], (count, height, width), "[network.heatmaps]").astype(np.float32)
    points, scores = peaks(maps) if table.read == "peaks" else means(maps, NORMS[table.read])
    return points / (width, height), scores


def read_scores(table: Scores, count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Scores (K,) of the key points."""
    values = shaped(outputs[table.output], (count,), "[network.scores]")
    return 1 / (1 + np.exp(-np.clip(values, -80, 80))) if table.logits else values


def read_joints(table: Joints, count: int, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Joints (K, 3), m."""
    return shaped(outputs[table.output], (count, 3), "[network.joints]") * (0.001 if table.unit == "mm" else 1.0)


def read_rotations(table: Rotations, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """SMPL's rotations, (24, 3, 3) or (24, 3) rad."""
    shape = (24, 3, 3) if table.kind == "matrices" else (24, 3)
    return shaped(outputs[table.output], shape, "[network.rotations]")


def shaped(values: np.ndarray, shape: tuple[int, ...], what: str) -> np.ndarray:
    """An output of one person as float64 of this shape, which it has, or flat. Raises ShapeError; what: whose output it is."""
    if values.squeeze().shape not in (tuple(size for size in shape if size > 1), (np.prod(shape),)):
        raise ShapeError(f"the output of {what} is {told((None, *values.shape))}, expected {told((None, *shape))}")
    return values.reshape(shape).astype(np.float64)
