"""Where a person's pelvis and hands were in the last seconds."""

from __future__ import annotations

from collections import deque

import numpy as np
import viser

from remi_stream.messages import Person
from remi_stream.sinks.views.palette import Rgb
from remi_stream.sinks.web.lines import Lines
from remi_stream.skeletons import JOINTS

LASTS_S = 2.0
EVERY_S = 0.1
THICK_M = 0.009
GAP_S = 0.5
"""Who was away for so long begins a new trail."""
FADED = np.array([128.0, 134.0, 142.0])
"""What the past turns into, on a dark floor as on a light one."""
SMPL_MARKS = (0, 22, 23)
"""Pelvis and hands."""


class Trail:
    """Lines of one person, drawn anew ten times a second at most. name: a node of the camera's frame."""

    def __init__(self, scene: viser.SceneApi, name: str) -> None:
        self._lines = Lines(scene, name, THICK_M)
        self._past: deque[tuple[float, np.ndarray]] = deque()

    def follow(self, marks: np.ndarray, colour: Rgb, at: float) -> None:
        """Go on to where the marks (M, 3), m, are at a time in seconds."""
        if self._past and not 0 <= at - self._past[-1][0] <= GAP_S:
            self._past.clear()
        if self._past and at - self._past[-1][0] < EVERY_S * 0.9:
            return
        self._past.append((at, marks))
        while at - self._past[0][0] > LASTS_S:
            self._past.popleft()
        self._draw(colour)

    def end(self) -> None:
        """Leave nothing behind."""
        self._past.clear()
        self._lines.show(False)

    def _draw(self, colour: Rgb) -> None:
        ages = np.array([self._past[-1][0] - at for at, _ in self._past])
        points, colours = segments(np.array([marks for _, marks in self._past]), ages, colour)
        self._lines.show(bool(len(points)))
        self._lines.draw(points, colours)


def segments(path: np.ndarray, ages: np.ndarray, colour: Rgb) -> tuple[np.ndarray, np.ndarray]:
    """Lines (N, 2, 3) float32 m along a path (T, M, 3) m, with colours (N, 2, 3) uint8 that fade with age (T,) s."""
    share = np.clip(1 - ages / LASTS_S, 0, 1)[:, None, None]
    shades = np.broadcast_to(FADED + share * (np.array(colour) - FADED), path.shape)
    lines, colours = (np.stack([each[:-1], each[1:]], axis=2).reshape(-1, 2, 3) for each in (path, shades))
    known = np.isfinite(lines).all(axis=(1, 2))
    return lines[known].astype(np.float32), colours[known].round().astype(np.uint8)


def marks_of(person: Person) -> np.ndarray:
    """Pelvis and wrists (3, 3), m, of somebody without SMPL; NaN where the skeleton does not know them."""
    names = JOINTS.get(person.skeleton_of_joints, ())
    marks = [("pelvis", "hip"), ("left_wrist",), ("right_wrist",)]
    found = [next((names.index(name) for name in wanted if name in names), None) for wanted in marks]
    places = [person.joints_m[k] if k is not None and k < len(person.joints_m) else np.full(3, np.nan) for k in found]
    if found[0] is None and {"left_hip", "right_hip"} <= set(names) and len(person.joints_m) == len(names):
        places[0] = person.joints_m[[names.index("left_hip"), names.index("right_hip")]].mean(0)
    return np.array(places)
