"""Estimates the room of a take from its joints: the floor plane and the box that people move in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import cross_product, unit_vectors
from remi_stream.messages import Bodies
from remi_stream.render.camera import RenderCamera, Size
from remi_stream.sinks.views.floor import fit_floor_plane

MAX_SAMPLED_FRAMES = 600
"""At most this many frames of a take are sampled."""
SOLE_OFFSET_M = 0.03
"""Height of the foot joints above the floor."""
BOX_PERCENTILES = (3, 97)
"""Percentiles of the joints that span the box; joints outside are rare or outliers."""
MAX_ROOM_M = 12.0
"""Maximum width and depth of the box."""
MIN_ROOM_HEIGHT_M = 1.8
"""Minimum height of the box."""
ROOM_MARGIN_M = 0.3
"""Margin around the joints."""
DEFAULT_JOINTS = np.array([[0.0, -0.7, 4.0], [0.0, 1.1, 4.0]])
"""A head and a foot, m, video camera frame, for a take without people."""
MAX_FILL = 0.84
"""Largest share of the image's width and height that the room fills."""
FOCAL_SHARE = 1.5
"""Focal length of virtual cameras, relative to the longer side of the image: long, for little perspective distortion."""


class SceneRoom(NamedTuple):
    """A floor-aligned box around the people of a take."""

    axes: np.ndarray
    """(3, 3), unit vectors right, up, away as rows, video camera frame; up is normal to the floor."""
    low: np.ndarray
    """(3,), lower corner, m, along the axes; low[1] is the floor."""
    high: np.ndarray
    """(3,), upper corner, m, along the axes."""

    def to_video_camera(self, inside: np.ndarray) -> np.ndarray:
        """Transform points (..., 3) from the room's axes to the video camera frame."""
        return inside @ self.axes

    def on_floor(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3) onto the floor along its normal, video camera frame."""
        above = points @ self.axes[1] - self.low[1]
        return points - above[..., None] * self.axes[1]

    def virtual_camera(self, yaw: float, pitch: float, size: Size) -> RenderCamera:
        """Place a virtual camera that sees the whole box. yaw: rad, to the right of the video camera; pitch: rad, downwards."""
        right, up, away = self.axes
        level = math.cos(yaw) * away - math.sin(yaw) * right
        forward = math.cos(pitch) * level - math.sin(pitch) * up
        sideways = unit_vectors(cross_product(-up, level))
        rotation = np.stack([sideways, cross_product(forward, sideways), forward])
        focal_px = FOCAL_SHARE * max(size)
        corners = (self.to_video_camera(self.corners()) - self.to_video_camera(self.centre)) @ rotation.T
        room_px = np.array(size) * MAX_FILL / 2
        # The nearest distance at which every corner is inside the image, both horizontally and vertically.
        distance = (np.abs(corners[:, :2]) * focal_px / room_px - corners[:, 2:]).max()
        position = self.to_video_camera(self.centre) - distance * forward
        return RenderCamera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, position)

    @property
    def centre(self) -> np.ndarray:
        """Centre of the box, (3,), along the room's axes."""
        return (self.low + self.high) / 2

    def corners(self) -> np.ndarray:
        """Corners of the box, (8, 3), along the room's axes."""
        return np.array([[x, y, z] for x in _extent(self, 0) for y in _extent(self, 1) for z in _extent(self, 2)])


def _extent(room: SceneRoom, axis: int) -> tuple[float, float]:
    return float(room.low[axis]), float(room.high[axis])


def fit_room(frames: Sequence[Bodies]) -> SceneRoom:
    """Estimate the room of frames: a floor plane fitted to the lowest joints, and the box of all joints."""
    every = max(1, math.ceil(len(frames) / MAX_SAMPLED_FRAMES))
    poses = list(_finite_joints(islice(iter(frames), 0, None, every))) or [DEFAULT_JOINTS]
    lowest = np.array([joints[joints[:, 1].argmax()] for joints in poses])
    level, roll, pitch = fit_floor_plane(lowest)
    axes = level_axes(roll, pitch)
    inside = np.concatenate(poses) @ axes.T
    floor = (np.array([0.0, level + SOLE_OFFSET_M, 0.0]) @ axes.T)[1]
    return SceneRoom(axes, *_box(inside, floor))


def level_axes(roll: float, pitch: float) -> np.ndarray:
    """Axes right, up, away (3, 3) of a floor with slopes `roll` along x and `pitch` along z of the camera."""
    up = unit_vectors(np.array([roll, -1.0, pitch]))
    away = unit_vectors(np.array([0.0, 0.0, 1.0]) - up[2] * up)
    return np.stack([cross_product(-up, away), up, away])


def _finite_joints(frames: Iterable[Bodies]) -> Iterable[np.ndarray]:
    """The finite joints (J, 3) of each person that has any."""
    for bodies in frames:
        for person in bodies.people:
            joints = person.joints_m[np.isfinite(person.joints_m).all(1)].astype(float)
            if len(joints):
                yield joints


def _box(inside: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(inside, BOX_PERCENTILES, axis=0)
    middle = np.median(inside, axis=0)
    low, high = (
        np.maximum(low - ROOM_MARGIN_M, middle - MAX_ROOM_M / 2),
        np.minimum(high + ROOM_MARGIN_M, middle + MAX_ROOM_M / 2),
    )
    low[1], high[1] = floor, max(high[1], floor + MIN_ROOM_HEIGHT_M)
    return low, high
