"""Motion in AMASS' keys and axes (Mahmood et al., "AMASS: Archive of Motion Capture as Surface Shapes", 2019)."""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import rotation_matrices, rotation_vectors

Z_UP_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""AMASS' z points up. The camera is taken to be level: its x stays, its forward becomes y, its down becomes -z."""


def motion(
    global_orient: np.ndarray, body_pose: np.ndarray, transl: np.ndarray, betas: np.ndarray, rest_pelvis: np.ndarray, fps: float
) -> dict[str, np.ndarray]:
    """Give AMASS' arrays for N frames in camera axes; a frame without a pose is NaN.

    global_orient (N, 3), body_pose (N, 69), betas (N, 10); transl (N, 3) and rest_pelvis (N, 3), the J0 of SMPL's own axes, m.
    poses is (N, 72): SMPL's 24 joints. AMASS' SMPL+H has the same first 22 and then fingers, which nobody has seen here.
    """
    turned = Z_UP_FROM_CAMERA @ rotation_matrices(global_orient.astype(np.float64))
    pelvis = (rest_pelvis + transl) @ Z_UP_FROM_CAMERA.T
    return {
        "poses": np.concatenate([rotation_vectors(turned), body_pose], 1).astype(np.float32),
        "trans": (pelvis - rest_pelvis).astype(np.float32),
        "betas": np.nanmedian(betas, 0).astype(np.float32),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(fps),
    }


def with_hands(motion: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same as AMASS' own files have it: poses (N, 156) with flat hands, betas (16,), dmpls (N, 8) of zeros."""
    poses = np.pad(motion["poses"][:, :66], [(0, 0), (0, 90)])
    return {**motion, "poses": poses, "betas": np.pad(motion["betas"], (0, 6)), "dmpls": np.zeros((len(poses), 8), np.float32)}
