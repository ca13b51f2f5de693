"""Viewpoints from which all people are in view."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

ViewDirection = Literal["front", "side", "top"]

FOV_DEG = 45.0
"""Vertical field of view, degrees."""
VIEW_MARGIN = 1.25
"""Size of the view relative to the people's extent."""
MIN_DISTANCE_M = 2.2
"""Minimum distance to the target, m."""
EYE_DIRECTIONS = {"front": (0.16, 0.12, 1.0), "side": (1.0, 0.12, 0.16), "top": (0.0, 1.0, 0.001)}
"""Directions from the people to the eye, world frame: +z is towards the camera, y is up. Top is not exactly vertical, where the
camera's up vector would be undefined.
"""
MIN_EXTENT_M = np.array([1.2, 1.8, 1.0])
"""Minimum extent x, y, z of the people, m: about one person, so that a crouch does not zoom in."""


class Viewpoint(NamedTuple):
    """A camera position and the point it looks at."""

    eye: np.ndarray
    """(3,) m, world frame."""
    target: np.ndarray
    """(3,) m, world frame."""


def fit_viewpoint(vertices: list[np.ndarray], view: ViewDirection, aspect: float) -> Viewpoint:
    """The viewpoint with all people's vertices, each (V, 3), m, in view from a side. aspect: the window's width over height."""
    low, high = np.min([each.min(0) for each in vertices], axis=0), np.max([each.max(0) for each in vertices], axis=0)
    target = (low + high) / 2
    sides = np.maximum(high - low, MIN_EXTENT_M)
    wide, high_m, deep = sides[{"front": [0, 1, 2], "side": [2, 1, 0], "top": [0, 2, 1]}[view]]
    distance = VIEW_MARGIN * max(high_m, wide / aspect) / 2 / np.tan(np.radians(FOV_DEG / 2)) + deep / 2
    direction = np.array(EYE_DIRECTIONS[view])
    return Viewpoint(target + direction / np.linalg.norm(direction) * max(distance, MIN_DISTANCE_M), target)


def interpolate_viewpoint(start: Viewpoint, end: Viewpoint, share: float) -> Viewpoint:
    """Interpolate linearly between two viewpoints; share 0 is `start`, 1 is `end`."""
    return Viewpoint(start.eye + share * (end.eye - start.eye), start.target + share * (end.target - start.target))
