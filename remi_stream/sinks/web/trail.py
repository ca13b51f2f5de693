"""Motion trails: the paths of a person's pelvis and hands over the last seconds."""

from __future__ import annotations

from collections import deque

import numpy as np
import viser

from remi_stream.messages import Person
from remi_stream.sinks.views.palette import Rgb
from remi_stream.sinks.web.lines import ColouredLines
from remi_stream.skeletons import JOINT_NAMES

TRAIL_S = 2.0
"""Length of a trail, s."""
TRAIL_INTERVAL_S = 0.1
"""Time between two points of a trail, s."""
TRAIL_THICKNESS_M = 0.009
"""Thickness, m."""
TRAIL_GAP_S = 0.5
"""After a longer gap a new trail starts, s."""
FADED_COLOUR = np.array([128.0, 134.0, 142.0])
"""RGB of a trail's end: visible on a dark and on a light floor."""
SMPL_TRAIL_JOINTS = (0, 22, 23)
"""Pelvis and hands among SMPL's joints."""


class MotionTrail:
    """The trails of one person, redrawn at most ten times a second. name: a scene node in the camera's frame."""

    def __init__(self, scene: viser.SceneApi, name: str) -> None:
        self._lines = ColouredLines(scene, name, TRAIL_THICKNESS_M)
        self._path: deque[tuple[float, np.ndarray]] = deque()

    def extend(self, joints: np.ndarray, colour: Rgb, at: float) -> None:
        """Extend the trails to joints (M, 3), m. at: their time, s."""
        if self._path and not 0 <= at - self._path[-1][0] <= TRAIL_GAP_S:
            self._path.clear()
        if self._path and at - self._path[-1][0] < TRAIL_INTERVAL_S * 0.9:  # 0.9: frame times jitter
            return
        self._path.append((at, joints))
        while at - self._path[0][0] > TRAIL_S:
            self._path.popleft()
        self._draw(colour)

    def clear(self) -> None:
        """Clear and hide the trails."""
        self._path.clear()
        self._lines.set_visible(False)

    def _draw(self, colour: Rgb) -> None:
        ages = np.array([self._path[-1][0] - at for at, _ in self._path])
        points, colours = trail_segments(np.array([marks for _, marks in self._path]), ages, colour)
        self._lines.set_visible(bool(len(points)))
        self._lines.draw(points, colours)


def trail_segments(path: np.ndarray, ages: np.ndarray, colour: Rgb) -> tuple[np.ndarray, np.ndarray]:
    """Segments (N, 2, 3) float32 m along a path (T, M, 3) m, with colours (N, 2, 3) uint8 that fade with age (T,) s."""
    share = np.clip(1 - ages / TRAIL_S, 0, 1)[:, None, None]
    shades = np.broadcast_to(FADED_COLOUR + share * (np.array(colour) - FADED_COLOUR), path.shape)
    lines, colours = (np.stack([each[:-1], each[1:]], axis=2).reshape(-1, 2, 3) for each in (path, shades))
    known = np.isfinite(lines).all(axis=(1, 2))
    return lines[known].astype(np.float32), colours[known].round().astype(np.uint8)


def trail_joints(person: Person) -> np.ndarray:
    """Pelvis and wrists (3, 3), m, of a person without SMPL; NaN for joints that the skeleton lacks."""
    names = JOINT_NAMES.get(person.effective_joints_skeleton, ())
    marks = [("pelvis", "hip"), ("left_wrist",), ("right_wrist",)]
    found = [next((names.index(name) for name in wanted if name in names), None) for wanted in marks]
    places = [person.joints_m[k] if k is not None and k < len(person.joints_m) else np.full(3, np.nan) for k in found]
    if found[0] is None and {"left_hip", "right_hip"} <= set(names) and len(person.joints_m) == len(names):
        places[0] = person.joints_m[[names.index("left_hip"), names.index("right_hip")]].mean(0)
    return np.array(places)
