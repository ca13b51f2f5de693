"""Pinhole cameras for rendering: the camera of the video, or a virtual one in the scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.geometry import Intrinsics, project

Size = tuple[int, int]
"""Width and height, px."""


class Camera(NamedTuple):
    """A pinhole camera without distortion. Its extrinsics are relative to the camera of the video."""

    intrinsics: Intrinsics
    """fx, fy, cx, cy, px."""
    size: Size
    """Of its image, px."""
    rotation: np.ndarray
    """(3, 3), from the video camera's axes to its own."""
    place: np.ndarray
    """(3,), its position, m, video camera frame."""

    def seen(self, points: np.ndarray) -> np.ndarray:
        """Transform points (..., 3), m, from the video camera's frame to its own."""
        return (points - self.place) @ self.rotation.T

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3), m, video camera frame, to its image, px."""
        return project(self.seen(points), self.intrinsics)


def film_camera(intrinsics: Intrinsics, taken: Size, size: Size) -> Camera:
    """Make the camera of the video; its images of size `taken` are scaled to `size`."""
    (sx, sy), (fx, fy, cx, cy) = scale(taken, size), intrinsics
    return Camera(
        # Integer coordinates are pixel centres, so scaling goes through the pixel edges at +0.5, as in `shown`.
        (fx * sx, fy * sy, (cx + 0.5) * sx - 0.5, (cy + 0.5) * sy - 0.5),
        size,
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )


def shown(points_px: np.ndarray, taken: Size, size: Size) -> np.ndarray:
    """Scale points (..., 2) px of an image of size `taken` to its copy of size `size`; integers are pixel centres."""
    return (points_px + 0.5) * scale(taken, size) - 0.5


def scale(taken: Size, size: Size) -> np.ndarray:
    """Scale factors in x and y, (2,)."""
    return np.array(size) / np.array(taken)
