"""Pinhole cameras for rendering: the camera of the video, or a virtual one in the scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.geometry import Intrinsics, project

Size = tuple[int, int]
"""Width and height, px."""


class RenderCamera(NamedTuple):
    """A pinhole camera without distortion. Its extrinsics are relative to the camera of the video."""

    intrinsics: Intrinsics
    """fx, fy, cx, cy, px."""
    size: Size
    """Of its image, px."""
    rotation: np.ndarray
    """(3, 3), from the video camera's axes to its own."""
    position: np.ndarray
    """(3,), its position, m, video camera frame."""

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform points (..., 3), m, from the video camera's frame to its own."""
        return (points - self.position) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3), m, video camera frame, to its image, px."""
        return project(self.to_camera(points), self.intrinsics)


def video_camera(intrinsics: Intrinsics, video_size: Size, to_size: Size) -> RenderCamera:
    """Make the camera of the video; its images of size `video_size` are scaled to `to_size`."""
    (sx, sy), (fx, fy, cx, cy) = scale_factors(video_size, to_size), intrinsics
    return RenderCamera(
        # Integer coordinates are pixel centres, so scaling goes through the pixel edges at +0.5, as in `shown`.
        (fx * sx, fy * sy, (cx + 0.5) * sx - 0.5, (cy + 0.5) * sy - 0.5),
        to_size,
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )


def scale_points(points_px: np.ndarray, from_size: Size, to_size: Size) -> np.ndarray:
    """Scale points (..., 2) px of an image of size `from_size` to its copy of size `to_size`; integers are pixel centres."""
    return (points_px + 0.5) * scale_factors(from_size, to_size) - 0.5


def scale_factors(from_size: Size, to_size: Size) -> np.ndarray:
    """Scale factors in x and y, (2,)."""
    return np.array(to_size) / np.array(from_size)
