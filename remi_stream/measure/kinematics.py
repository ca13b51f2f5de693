"""Differences and motion of joints and points: distances, Procrustes alignment, accelerations, angles, jitter.

`evaluate` compares a prediction with the truth, `measure` a person with the previous frame. Joints are (N, J, 3) m,
NaN where not known; results are mm or degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remi_stream.geometry import axis_angle_from_matrices

NAN = math.nan
"""A value that could not be measured; means ignore it."""
MM_PER_M = 1000.0


def nan_mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return the mean of the finite values, NaN if there are none (np.nanmean without its warning)."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), NAN)


def lengths_mm(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of vectors (..., 3) m, (...) mm."""
    return np.linalg.norm(vectors, axis=-1) * MM_PER_M


def distances_mm(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return distances between points (..., J, 3) m, (..., J) mm."""
    return lengths_mm(points - others)


def angles_deg(rotations: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return geodesic angles between rotations (..., 3, 3), degrees."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrices(others.swapaxes(-1, -2) @ rotations), axis=-1))


def centre_on_root(joints: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return joints (N, J, 3) relative to their roots (N, 3)."""
    return joints - root[:, None]


def procrustes_align(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Align joints (N, J, 3) of each frame to the truth by the best similarity transform, without reflection.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991).
    """
    mean, true_mean = joints.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    centred_joints, centred_truth = joints - mean, truth - true_mean
    u, singular, vt = np.linalg.svd(centred_truth.swapaxes(1, 2) @ centred_joints)
    # The sign of the last axis makes it a rotation: the best orthogonal matrix may be a reflection.
    signs = np.ones_like(singular)
    signs[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    # all joints in one point have no scale; the result is then the truth's mean, not NaN
    variance = np.maximum((centred_joints**2).sum((1, 2)), np.finfo(float).tiny)
    scale = (singular * signs).sum(1) / variance
    return scale[:, None, None] * (centred_joints @ rotation.swapaxes(1, 2)) + true_mean


def acceleration_errors_mm(joints: np.ndarray, truth: np.ndarray, frames: np.ndarray, step: int) -> np.ndarray:
    """Return differences of accelerations, (M, J) mm per step squared, at frames with neighbours one step before and after.

    frames: (N,) rising numbers of the rows' frames.
    """
    row_of = {int(frame): row for row, frame in enumerate(frames)}
    triples = [(row_of.get(frame - step), row, row_of.get(frame + step)) for frame, row in row_of.items()]
    complete = [triple for triple in triples if None not in triple]
    rows = np.array(complete, int).reshape(-1, 3).T
    return distances_mm(second_difference(joints, rows), second_difference(truth, rows))


def second_difference(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return before - 2 * middle + after of the rows (3, M)."""
    before, middle, after = points[rows]
    return before - 2 * middle + after


def line_deviation(points: Sequence[np.ndarray], times: Sequence[float]) -> np.ndarray:
    """Return the deviation (jitter) of the middle of three points from linear motion between the first and the last.

    points: three arrays of the same shape; times: theirs, rising, s.
    """
    share = (times[1] - times[0]) / (times[2] - times[0])
    return points[1] - (points[0] + share * (points[2] - points[0]))
