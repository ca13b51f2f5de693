"""Where to look from, so that everybody is in view."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

View = Literal["front", "side", "top"]

FOV = 45.0
"""Degrees, of the window's height."""
ROOM = 1.25
"""How much wider the view is than the people in it."""
NEAREST_M = 2.2
SLANT = {"front": (0.16, 0.12, 1.0), "side": (1.0, 0.12, 0.16), "top": (0.0, 1.0, 0.001)}
"""From the people towards the eye: +z is where the camera stands, y is up."""
SMALLEST_M = np.array([1.2, 1.8, 1.0])


class Viewpoint(NamedTuple):
    """eye and target: (3,) m, in the room."""

    eye: np.ndarray
    target: np.ndarray


def viewpoint(vertices: list[np.ndarray], view: View, aspect: float) -> Viewpoint:
    """See all these people, each (V, 3), m, from a side. aspect: width of the window over its height."""
    low, high = np.min([each.min(0) for each in vertices], axis=0), np.max([each.max(0) for each in vertices], axis=0)
    target = (low + high) / 2
    sides = np.maximum(high - low, SMALLEST_M)
    wide, high_m, deep = sides[{"front": [0, 1, 2], "side": [2, 1, 0], "top": [0, 2, 1]}[view]]
    away = ROOM * max(high_m, wide / aspect) / 2 / np.tan(np.radians(FOV / 2)) + deep / 2
    slant = np.array(SLANT[view])
    return Viewpoint(target + slant / np.linalg.norm(slant) * max(away, NEAREST_M), target)


def towards(now: Viewpoint, wanted: Viewpoint, share: float) -> Viewpoint:
    """A part of the way: share 0 stays, 1 arrives."""
    return Viewpoint(now.eye + share * (wanted.eye - now.eye), now.target + share * (wanted.target - now.target))
