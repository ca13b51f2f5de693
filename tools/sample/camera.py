"""Camera of the sample clip. World axes: y up, floor at y = 0, camera looking along -z."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WIDTH, HEIGHT = 1280, 720
FOCAL_PX = 1150.0
CAMERA_AT = np.array([0.0, 1.22, 3.85])
LOOK_AT = np.array([0.0, 0.93, 0.0])


def camera_from_world() -> Array:
    """Camera extrinsics (4, 4): OpenCV camera axes from world axes, m."""
    forward = (LOOK_AT - CAMERA_AT) / np.linalg.norm(LOOK_AT - CAMERA_AT)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ CAMERA_AT
    return pose


def clip_from_camera(near: float = 0.1, far: float = 30.0) -> Array:
    """OpenGL projection matrix (4, 4) from OpenCV camera axes, for FOCAL_PX and a centred principal point."""
    clip = np.zeros((4, 4))
    clip[0, 0], clip[1, 1] = 2 * FOCAL_PX / WIDTH, -2 * FOCAL_PX / HEIGHT
    clip[2, 2:] = (far + near) / (far - near), -2 * far * near / (far - near)
    clip[3, 2] = 1
    return clip
