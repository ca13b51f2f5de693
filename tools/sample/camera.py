"""Cameras of the rendered clips. World axes: y up, floor at y = 0, the sample's camera looking along -z."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Camera(NamedTuple):
    """A pinhole camera with a centred principal point."""

    at: Array
    """(3,) m, world."""
    look_at: Array
    """(3,) m, world: what is in the middle of the image."""
    focal_px: float
    size: tuple[int, int]
    """Width and height, px."""
    roll_deg: float = 0.0
    """Rotation of the camera about its viewing axis: the image turns the other way."""

    def from_world(self) -> Array:
        """Extrinsics (4, 4): OpenCV camera axes from world axes, m."""
        forward = (self.look_at - self.at) / np.linalg.norm(self.look_at - self.at)
        right = np.cross(forward, [0, 1, 0])
        right /= np.linalg.norm(right)
        cos, sin = np.cos(np.radians(self.roll_deg)), np.sin(np.radians(self.roll_deg))
        upright = np.stack([right, np.cross(forward, right), forward])
        pose = np.eye(4)
        pose[:3, :3] = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ upright
        pose[:3, 3] = -pose[:3, :3] @ self.at
        return pose

    def clip_from_world(self, near: float = 0.1, far: float = 30.0) -> Array:
        """OpenGL projection matrix (4, 4) from world axes."""
        clip = np.zeros((4, 4))
        clip[0, 0], clip[1, 1] = 2 * self.focal_px / self.size[0], -2 * self.focal_px / self.size[1]
        clip[2, 2:] = (far + near) / (far - near), -2 * far * near / (far - near)
        clip[3, 2] = 1
        return clip @ self.from_world()

    def intrinsics(self) -> Array:
        """Intrinsics (3, 3), px."""
        width, height = self.size
        return np.array([[self.focal_px, 0, width / 2], [0, self.focal_px, height / 2], [0, 0, 1]])


SAMPLE_CAMERA = Camera(at=np.array([0.0, 1.22, 3.85]), look_at=np.array([0.0, 0.93, 0.0]), focal_px=1150.0, size=(1280, 720))
