"""From where two meshes are looked at: one camera, which sees all of the way between them."""

from __future__ import annotations

import math

import numpy as np

from remi_stream.geometry import cross
from remi_stream.render.camera import Camera, Size

YAW, PITCH = math.radians(24), math.radians(8)
"""The camera stands a little to the right of the front, and looks down a little."""
AXES = {
    "y": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
}
"""By the axis that is up: right, up and away of who looks from the front, as rows."""
FILLED = 0.88
"""How much of a picture's width and height a mesh may take."""
FOCAL_SHARE = 2.0
"""Focal length, of the picture's longer side: a long lens, which distorts little."""
LEAST = 1e-9


def camera_of(points: np.ndarray, up: str, size: Size, back: bool = False) -> Camera:
    """The camera that sees all points (N, 3), from the front or from behind. up: a name of AXES."""
    right, upwards, away = AXES[up]
    yaw = YAW + math.pi * back
    level = math.cos(yaw) * away - math.sin(yaw) * right
    forward = math.cos(PITCH) * level - math.sin(PITCH) * upwards
    sideways = cross(-upwards, level)
    rotation = np.stack([sideways, cross(forward, sideways), forward])
    seen = points @ rotation.T
    middle = (seen.min(0) + seen.max(0)) / 2
    focal_px, room_px = FOCAL_SHARE * max(size), np.array(size) * FILLED / 2
    distance = (np.abs(seen - middle)[:, :2] * focal_px / room_px - (seen - middle)[:, 2:]).max()
    place = (middle - (0, 0, max(float(distance), LEAST))) @ rotation
    return Camera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, place)
