"""Turning and mirroring a picture, and what that does to its camera.

A turn is in degrees clockwise, as people see the picture, and comes before the mirror. Pixel centres are whole numbers.
"""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.geometry import Intrinsics

TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turn_image(image: np.ndarray, rotate: int, mirror: bool) -> np.ndarray:
    """Give the picture (H, W, 3) upright; the same array when there is nothing to do."""
    turned = cv2.rotate(image, TURNS[rotate]) if rotate else image
    return cv2.flip(turned, 1) if mirror else turned


def turn_size(size: tuple[int, int], rotate: int) -> tuple[int, int]:
    """Give (width, height) after the turn."""
    return (size[1], size[0]) if rotate in (90, 270) else size


def turn_intrinsics(intrinsics: Intrinsics, size: tuple[int, int], rotate: int, mirror: bool) -> Intrinsics:
    """Give fx, fy, cx, cy of the turned picture; size: (width, height) px before."""
    fx, fy, cx, cy = intrinsics
    width, height = size
    for _ in range(rotate // 90):
        fx, fy, cx, cy = fy, fx, height - 1 - cy, cx
        width, height = height, width
    return fx, fy, width - 1 - cx if mirror else cx, cy


def turn_pose(camera_from_world: np.ndarray, rotate: int) -> np.ndarray:
    """Give camera_from_world (4, 4) of the turned camera. There is none of a mirrored one."""
    quarter = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return np.linalg.matrix_power(quarter, rotate // 90) @ camera_from_world
