"""Camera of a morph: fitted to all shapes between the two meshes."""

from __future__ import annotations

import math

import numpy as np

from remi_stream.geometry import cross
from remi_stream.render.camera import Camera, Size

YAW, PITCH = math.radians(24), math.radians(8)
"""The camera is slightly to the right of the front and looks slightly down."""
AXES = {
    "y": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
}
"""Right, up and away of a front view as rows, by vertical axis of the mesh."""
FILLED = 0.88
"""Largest share of the image's width and height that a mesh fills."""
FOCAL_SHARE = 2.0
"""Focal length relative to the longer side of the image: long, for little perspective distortion."""
LEAST = 1e-9
"""Minimum distance of the camera, for degenerate meshes."""


def camera_of(points: np.ndarray, up: str, size: Size, back: bool = False) -> Camera:
    """Fit a camera to points (N, 3), from the front or from behind. up: key of AXES."""
    right, upwards, away = AXES[up]
    yaw = YAW + math.pi * back
    level = math.cos(yaw) * away - math.sin(yaw) * right
    forward = math.cos(PITCH) * level - math.sin(PITCH) * upwards
    sideways = cross(-upwards, level)
    rotation = np.stack([sideways, cross(forward, sideways), forward])
    rotated = points @ rotation.T
    centre = (rotated.min(0) + rotated.max(0)) / 2
    focal_px, half_px = FOCAL_SHARE * max(size), np.array(size) * FILLED / 2
    distance = (np.abs(rotated - centre)[:, :2] * focal_px / half_px - (rotated - centre)[:, 2:]).max()
    position = (centre - (0, 0, max(float(distance), LEAST))) @ rotation
    return Camera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, position)
