"""Distances between poses and the truth. Joints are (N, J, 3) m, NaN where not known; results are mm or degrees.

Procrustes: Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991).
"""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import rotation_vectors

MM = 1000.0


def centred(joints: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Joints (N, J, 3) from their roots (N, 3)."""
    return joints - root[:, None]


def distances_mm(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How far each point is off, (..., J) mm, from points (..., J, 3) m."""
    return np.linalg.norm(joints - truth, axis=-1) * MM


def procrustes(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Joints (N, J, 3), each frame's turned, moved and scaled as near to the truth as can be; they are not mirrored."""
    middle, goal = joints.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    own, wanted = joints - middle, truth - goal
    u, stretch, vt = np.linalg.svd(wanted.swapaxes(1, 2) @ own)
    signs = np.ones_like(stretch)
    signs[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    size = np.maximum((own**2).sum((1, 2)), np.finfo(float).tiny)
    scale = (stretch * signs).sum(1) / size
    return scale[:, None, None] * (own @ rotation.swapaxes(1, 2)) + goal


def acceleration_errors_mm(joints: np.ndarray, truth: np.ndarray, frames: np.ndarray, step: int) -> np.ndarray:
    """How far the accelerations are apart, (M, J) mm per step squared, wherever three frames stand a step from each other.

    frames: (N,) rising numbers of the rows' frames.
    """
    row_of = {int(frame): row for row, frame in enumerate(frames)}
    threes = [(row_of.get(frame - step), row, row_of.get(frame + step)) for frame, row in row_of.items()]
    whole = [three for three in threes if None not in three]
    rows = np.array(whole, int).reshape(-1, 3).T
    return np.linalg.norm(second_difference(joints, rows) - second_difference(truth, rows), axis=-1) * MM


def second_difference(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Before - 2 middle + after, of the three rows (3, M)."""
    before, middle, after = points[rows]
    return before - 2 * middle + after


def turns_deg(rotations: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The angles between rotations (..., 3, 3), degrees."""
    return np.degrees(np.linalg.norm(rotation_vectors(truth.swapaxes(-1, -2) @ rotations), axis=-1))
