"""SMPL motion as AMASS' arrays, z up (Mahmood et al., "AMASS: Archive of Motion Capture as Surface Shapes", 2019)."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle

Z_UP_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Rotation from camera axes to AMASS' z-up axes, for a level camera: x stays, forward becomes y, down becomes -z."""


def amass_arrays(
    global_orient: np.ndarray, body_pose: np.ndarray, transl: np.ndarray, betas: np.ndarray, rest_pelvis: np.ndarray, fps: float
) -> dict[str, np.ndarray]:
    """Convert N frames in camera axes to AMASS' arrays; a frame without a pose is NaN.

    global_orient (N, 3) and body_pose (N, 69): axis-angle, rad. betas (N, 10). transl (N, 3), m. rest_pelvis (N, 3): SMPL's rest
    pelvis, m. The result's poses are (N, 72), SMPL's 24 joints; AMASS' SMPL+H has the same first 22, then fingers.
    """
    root = Z_UP_FROM_CAMERA @ matrices_from_axis_angle(global_orient.astype(np.float64))
    # The root rotates about the pelvis, so the pelvis is what changes axes; trans is relative to the rest pelvis.
    pelvis = (rest_pelvis + transl) @ Z_UP_FROM_CAMERA.T
    return {
        "poses": np.concatenate([axis_angle_from_matrices(root), body_pose], 1).astype(np.float32),
        "trans": (pelvis - rest_pelvis).astype(np.float32),
        "betas": np.nanmedian(betas, 0).astype(np.float32),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(fps),
    }


def add_hands(motion: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pad to SMPL+H as in AMASS' own files: poses (N, 156) with flat hands, betas (16,), dmpls (N, 8) of zeros."""
    poses = np.pad(motion["poses"][:, :66], [(0, 0), (0, 90)])
    return {**motion, "poses": poses, "betas": np.pad(motion["betas"], (0, 6)), "dmpls": np.zeros((len(poses), 8), np.float32)}
