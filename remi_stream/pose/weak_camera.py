"""Weak-perspective camera of mesh regressors: (s, tx, ty) in the crop, and its conversion to the full image.

A point (x, y, z), m, of the body at the origin falls on s (x + tx), s (y + ty) in the crop, whose edges are -1 and 1.
Kissos et al., "Beyond weak perspective for monocular 3D human pose estimation" (2020), for the translation.
"""

from __future__ import annotations

import numpy as np

from remi_stream.geometry import Intrinsics

CROP_CAMERA_FOCAL_PX, CROP_CAMERA_SIDE_PX = 5000.0, 224
"""Focal length and size of the crop's camera in the regressors' published code."""


def transl_from_weak_camera(
    camera: np.ndarray, center: np.ndarray, side: np.ndarray | float, intrinsics: Intrinsics
) -> np.ndarray:
    """Convert a weak-perspective camera to the translation of the body's origin (..., 3), m, camera frame: SMPL's transl.

    camera: (..., 3) s, tx, ty. center: (..., 2) and side: (...) px of the square in the full image. Exact at the depth of the
    body's origin only, as weak perspective is.
    """
    fx, fy, cx, cy = intrinsics
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    radius = s * side / 2  # px per metre at the body's depth
    x = tx + (center[..., 0] - cx) / radius
    y = (ty + (center[..., 1] - cy) / radius) * (fx / fy)
    return np.stack([x, y, fx / radius], -1)


def weak_camera_from_transl(
    transl: np.ndarray, center: np.ndarray, side: np.ndarray | float, intrinsics: Intrinsics
) -> np.ndarray:
    """Convert transl (..., 3) m to the crop's weak-perspective camera (..., 3) s, tx, ty: the inverse of `transl_from_weak_camera`."""
    fx, fy, cx, cy = intrinsics
    x, y, z = np.moveaxis(np.asarray(transl, np.float64), -1, 0)
    radius = fx / z
    return np.stack([2 * radius / side, x - (center[..., 0] - cx) / radius, y * (fy / fx) - (center[..., 1] - cy) / radius], -1)


def crop_camera_transl(camera: np.ndarray) -> np.ndarray:
    """Return the body's translation (..., 3), m, in the crop's own camera with a focal length of 5000 px; camera: (..., 3)."""
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    return np.stack([tx, ty, 2 * CROP_CAMERA_FOCAL_PX / (CROP_CAMERA_SIDE_PX * s + 1e-9)], -1)


def full_image_weak_camera(camera: np.ndarray, center: np.ndarray, side: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Convert to the weak-perspective camera of the full image, edges -1 and 1: (..., 4) sx, sy, tx, ty (PARE's "orig_cam").

    camera: (..., 3). center: (..., 2) and side: (...) px of the square. size: (width, height) px of the image.
    """
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    half = np.array(size) / 2
    sx, sy = s * side / size[0], s * side / size[1]
    x, y = np.moveaxis((center - half) / half, -1, 0)
    return np.stack([sx, sy, tx + x / sx, ty + y / sy], -1)


def square_to_image(points: np.ndarray, center: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Map points (..., N, 2) of a crop with edges -1 and 1 to px of the full image; center: (..., 2), side: (...) px."""
    return center[..., None, :] + points * (np.asarray(side)[..., None, None] / 2)
