"""Who looks: the camera that took the film, or one that stands elsewhere among the people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.geometry import Intrinsics, project

Size = tuple[int, int]
"""Width and height, px."""


class Camera(NamedTuple):
    """A camera without lens errors. size: of its picture. rotation: (3, 3), from the film camera's axes to its own.

    place: (3,), where it stands, m, in the film camera's axes.
    """

    intrinsics: Intrinsics
    size: Size
    rotation: np.ndarray
    place: np.ndarray

    def seen(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3), m, of the film camera's axes in its own."""
        return (points - self.place) @ self.rotation.T

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 3), m, of the film camera's axes are in its picture, px."""
        return project(self.seen(points), self.intrinsics)


def film_camera(intrinsics: Intrinsics, taken: Size, size: Size) -> Camera:
    """The camera that took the film, whose pictures of size `taken` are shown as large as `size`."""
    (sx, sy), (fx, fy, cx, cy) = scale(taken, size), intrinsics
    return Camera(
        (fx * sx, fy * sy, (cx + 0.5) * sx - 0.5, (cy + 0.5) * sy - 0.5),
        size,
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )


def shown(points_px: np.ndarray, taken: Size, size: Size) -> np.ndarray:
    """Where points (..., 2) px of a picture of size `taken` are when it is shown as large as `size`; 0 is a pixel's centre."""
    return (points_px + 0.5) * scale(taken, size) - 0.5


def scale(taken: Size, size: Size) -> np.ndarray:
    """How much larger a picture is shown, (2,)."""
    return np.array(size) / np.array(taken)
