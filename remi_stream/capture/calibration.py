"""Camera calibration (intrinsics, distortion, pose), read from a file of OpenCV (YAML, XML or JSON)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.errors import UsageError
from remi_stream.geometry import Intrinsics

DISTORTION_LENGTHS = (4, 5, 8, 12, 14)
"""Numbers of distortion coefficients that OpenCV knows."""
CALIBRATION_KEYS = "needed: camera_matrix, image_width, image_height; allowed: distortion_coefficients, camera_from_world"


class Calibration(NamedTuple):
    """A camera's intrinsics, distortion and pose, before its orientation is applied."""

    size: tuple[int, int]
    """(width, height) px of the camera's image; the other fields are valid for this size only."""
    intrinsics: Intrinsics
    """fx, fy, cx, cy, px."""
    distortion: np.ndarray
    """(n,) float64, OpenCV's k1 k2 p1 p2 k3 ...; empty if there is none."""
    camera_from_world: np.ndarray | None
    """(4, 4) float64 rigid transform, m."""


def read_calibration(path: str) -> Calibration:
    """Read a calibration file. Raises UsageError with the missing or wrong key."""
    file = _open_storage(path)
    size = int(_read_number(file, "image_width")), int(_read_number(file, "image_height"))
    matrix, distortion = file.getNode("camera_matrix").mat(), file.getNode("distortion_coefficients").mat()
    pose = file.getNode("camera_from_world").mat()
    if matrix is None or matrix.shape != (3, 3) or min(size) < 1:
        raise UsageError(f"Calibration {path} is not complete; {CALIBRATION_KEYS}")
    if not matrix[0, 0] > 0 or not matrix[1, 1] > 0:
        raise UsageError(f"Calibration {path}: the focal lengths in camera_matrix must be above 0")
    if distortion is not None and distortion.size not in DISTORTION_LENGTHS:
        raise UsageError(f"Calibration {path}: distortion_coefficients must be {DISTORTION_LENGTHS}, got {distortion.size}")
    if pose is not None and not is_rigid_transform(pose):
        raise UsageError(f"Calibration {path}: camera_from_world must be 4x4, a rotation and a translation")
    intrinsics = (float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2]))
    return Calibration(size, intrinsics, np.zeros(0) if distortion is None else distortion.reshape(-1), pose)


def is_rigid_transform(pose: np.ndarray) -> bool:
    """Whether a (4, 4) matrix is a rigid transform: a rotation and a translation."""
    if pose.shape != (4, 4) or not np.allclose(pose[3], (0, 0, 0, 1)):
        return False
    rotation = pose[:3, :3]
    return bool(np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0)


def _open_storage(path: str) -> cv2.FileStorage:
    if not Path(path).is_file():
        raise UsageError(f"No such calibration file: {path}. Give one that OpenCV wrote (YAML, XML, JSON)")
    try:
        file = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
    except (cv2.error, SystemError):
        file = None
    if file is None or not file.isOpened():
        raise UsageError(
            f"{path} is not a calibration file of OpenCV (it starts with %YAML:1.0, or is XML or JSON); {CALIBRATION_KEYS}"
        )
    return file


def _read_number(file: cv2.FileStorage, name: str) -> float:
    node = file.getNode(name)
    return float(node.real()) if node.isInt() or node.isReal() else 0.0
