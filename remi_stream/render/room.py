"""The room that people move in, as far as a take tells: where the floor is, and how much of it they use."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import cross, unit
from remi_stream.messages import Bodies
from remi_stream.render.camera import Camera, Size
from remi_stream.sinks.views.floor import fit_plane

SIGHTS = 600
"""At most so many frames of a take are asked."""
SOLE_M = 0.03
"""How far the floor is under a foot's joints."""
COMMON = (3, 97)
"""Per cent of the joints: what is outside was seldom, or a mistake."""
LARGEST_M = 12.0
TALL_M = 1.8
AROUND_M = 0.3
NOBODYS = np.array([[0.0, -0.7, 4.0], [0.0, 1.1, 4.0]])
"""A head and a foot, m, for a take without anybody."""
FILLED = 0.84
"""How much of a picture's width and height the room may take."""
FOCAL_SHARE = 1.5
"""Focal length of the cameras in it, of their picture's longer side: a long lens, which distorts little."""


class Room(NamedTuple):
    """axes: (3, 3), the directions right, up, away, in the film camera's axes, as rows; seen by who took the film, but level.

    low, high: (3,), m, along these axes, the corners of the box that people are in; low[1] is the floor.
    """

    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def points(self, inside: np.ndarray) -> np.ndarray:
        """Points (..., 3) along the room's axes in the film camera's."""
        return inside @ self.axes

    def on_floor(self, points: np.ndarray) -> np.ndarray:
        """The points of the floor under points (..., 3); both in the film camera's axes."""
        above = points @ self.axes[1] - self.low[1]
        return points - above[..., None] * self.axes[1]

    def camera(self, yaw: float, pitch: float, size: Size) -> Camera:
        """A camera that sees the whole box. yaw: rad, how far to the film camera's right it stands; pitch: rad, looking down."""
        right, up, away = self.axes
        level = math.cos(yaw) * away - math.sin(yaw) * right
        forward = math.cos(pitch) * level - math.sin(pitch) * up
        sideways = unit(cross(-up, level))
        rotation = np.stack([sideways, cross(forward, sideways), forward])
        focal_px = FOCAL_SHARE * max(size)
        corners = (self.points(self.corners()) - self.points(self.middle)) @ rotation.T
        room_px = np.array(size) * FILLED / 2
        distance = (np.abs(corners[:, :2]) * focal_px / room_px - corners[:, 2:]).max()
        place = self.points(self.middle) - distance * forward
        return Camera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, place)

    @property
    def middle(self) -> np.ndarray:
        """The middle of the box, (3,), along the room's axes."""
        return (self.low + self.high) / 2

    def corners(self) -> np.ndarray:
        """The corners of the box, (8, 3), along the room's axes."""
        return np.array([[x, y, z] for x in _ends(self, 0) for y in _ends(self, 1) for z in _ends(self, 2)])


def _ends(room: Room, axis: int) -> tuple[float, float]:
    return float(room.low[axis]), float(room.high[axis])


def room_of(frames: Sequence[Bodies]) -> Room:
    """The room of all these frames."""
    every = max(1, math.ceil(len(frames) / SIGHTS))
    sights = list(_sights(islice(iter(frames), 0, None, every))) or [NOBODYS]
    lowest = np.array([sight[sight[:, 1].argmax()] for sight in sights])
    level, roll, pitch = fit_plane(lowest)
    axes = level_axes(roll, pitch)
    inside = np.concatenate(sights) @ axes.T
    floor = (np.array([0.0, level + SOLE_M, 0.0]) @ axes.T)[1]
    return Room(axes, *_box(inside, floor))


def level_axes(roll: float, pitch: float) -> np.ndarray:
    """Right, up, away (3, 3) of a floor with these slopes along x and z of the camera."""
    up = unit(np.array([roll, -1.0, pitch]))
    away = unit(np.array([0.0, 0.0, 1.0]) - up[2] * up)
    return np.stack([cross(-up, away), up, away])


def _sights(frames: Iterable[Bodies]) -> Iterable[np.ndarray]:
    """The joints (J, 3) of everybody who has some."""
    for bodies in frames:
        for person in bodies.people:
            joints = person.joints_m[np.isfinite(person.joints_m).all(1)].astype(float)
            if len(joints):
                yield joints


def _box(inside: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(inside, COMMON, axis=0)
    middle = np.median(inside, axis=0)
    low, high = np.maximum(low - AROUND_M, middle - LARGEST_M / 2), np.minimum(high + AROUND_M, middle + LARGEST_M / 2)
    low[1], high[1] = floor, max(high[1], floor + TALL_M)
    return low, high
