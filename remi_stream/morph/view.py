"""Camera of a morph: fitted to all shapes between the two meshes."""

from __future__ import annotations

import math

import numpy as np

from remi_stream.geometry import cross_product
from remi_stream.render.camera import RenderCamera, Size

YAW, PITCH = math.radians(24), math.radians(8)
"""The camera is slightly to the right of the front and looks slightly down."""
UP_AXES = {
    "y": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
}
"""Right, up and away of a front view as rows, by vertical axis of the mesh."""
MAX_FILL = 0.88
"""Largest share of the image's width and height that a mesh fills."""
FOCAL_SHARE = 2.0
"""Focal length relative to the longer side of the image: long, for little perspective distortion."""
MIN_DISTANCE = 1e-9
"""Minimum distance of the camera, for degenerate meshes."""


def fit_camera(points: np.ndarray, up: str, size: Size, back: bool = False) -> RenderCamera:
    """Fit a camera to points (N, 3), from the front or from behind. up: key of UP_AXES."""
    right, upwards, away = UP_AXES[up]
    yaw = YAW + math.pi * back
    level = math.cos(yaw) * away - math.sin(yaw) * right
    forward = math.cos(PITCH) * level - math.sin(PITCH) * upwards
    sideways = cross_product(-upwards, level)
    rotation = np.stack([sideways, cross_product(forward, sideways), forward])
    rotated = points @ rotation.T
    centre = (rotated.min(0) + rotated.max(0)) / 2
    focal_px, half_px = FOCAL_SHARE * max(size), np.array(size) * MAX_FILL / 2
    distance = (np.abs(rotated - centre)[:, :2] * focal_px / half_px - (rotated - centre)[:, 2:]).max()
    position = (centre - (0, 0, max(float(distance), MIN_DISTANCE))) @ rotation
    return RenderCamera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, position)
