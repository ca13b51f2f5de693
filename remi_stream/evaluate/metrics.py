"""Pose errors: joint distances, Procrustes alignment, acceleration and rotation errors.

Joints are (N, J, 3) m, NaN where not known; results are mm or degrees.
Procrustes: Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991).
"""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import axis_angle_from_matrices

MM_PER_M = 1000.0


def centre_on_root(joints: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return joints (N, J, 3) relative to their roots (N, 3)."""
    return joints - root[:, None]


def distances_mm(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return distances between points (..., J, 3) m, (..., J) mm."""
    return np.linalg.norm(joints - truth, axis=-1) * MM_PER_M


def procrustes_align(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Align joints (N, J, 3) of each frame to the truth by the best similarity transform, without reflection."""
    mean, true_mean = joints.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    centred_joints, centred_truth = joints - mean, truth - true_mean
    u, singular, vt = np.linalg.svd(centred_truth.swapaxes(1, 2) @ centred_joints)
    # The sign of the last axis makes it a rotation: the best orthogonal matrix may be a reflection.
    signs = np.ones_like(singular)
    signs[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
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
    return np.linalg.norm(second_difference(joints, rows) - second_difference(truth, rows), axis=-1) * MM_PER_M


def second_difference(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return before - 2 * middle + after of the rows (3, M)."""
    before, middle, after = points[rows]
    return before - 2 * middle + after


def rotation_errors_deg(rotations: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return geodesic angles between rotations (..., 3, 3), degrees."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrices(truth.swapaxes(-1, -2) @ rotations), axis=-1))
