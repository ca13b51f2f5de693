"""Orientation of images: rotation by 90, 180 or 270 degrees and mirroring, for images, sizes, intrinsics and camera poses.

Rotation is in degrees clockwise on the screen and comes before mirroring. Pixel centres have integer coordinates.
"""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.geometry import Intrinsics

ROTATE_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
"""cv2.rotate's code by degrees clockwise."""


def orient_image(image: np.ndarray, rotate: int, mirror: bool) -> np.ndarray:
    """Rotate and mirror an image (H, W, 3); the same array if there is nothing to do."""
    rotated = cv2.rotate(image, ROTATE_CODES[rotate]) if rotate else image
    return cv2.flip(rotated, 1) if mirror else rotated


def oriented_size(size: tuple[int, int], rotate: int) -> tuple[int, int]:
    """(width, height) px after the rotation."""
    return (size[1], size[0]) if rotate in (90, 270) else size


def oriented_intrinsics(intrinsics: Intrinsics, size: tuple[int, int], rotate: int, mirror: bool) -> Intrinsics:
    """fx, fy, cx, cy px of the rotated and mirrored image; size: (width, height) px before."""
    fx, fy, cx, cy = intrinsics
    width, height = size
    for _ in range(rotate // 90):  # (x, y) -> (height - 1 - y, x)
        fx, fy, cx, cy = fy, fx, height - 1 - cy, cx
        width, height = height, width
    return fx, fy, width - 1 - cx if mirror else cx, cy


def oriented_camera_pose(camera_from_world: np.ndarray, rotate: int) -> np.ndarray:
    """camera_from_world (4, 4) of the rotated camera; a mirrored image has none."""
    quarter = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return np.linalg.matrix_power(quarter, rotate // 90) @ camera_from_world
