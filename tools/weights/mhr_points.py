"""Positions of MHR70's 70 joints on the default body, in any pose: each is attached to one of the 24 joints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import forward_kinematics, load_default_body
from remi_stream.geometry import matrices_from_axis_angle

Array = NDArray[Any]
Point = tuple[int, tuple[float, float, float]]

LEFT = (1.0, 1.0, 1.0)
RIGHT = (-1.0, 1.0, 1.0)
FINGERS_ACROSS_M = {"index": 0.03, "middle": 0.01, "ring": -0.01, "pinky": -0.03}
FINGERS_ALONG_M = (0.17, 0.15, 0.125, 0.09)
THUMB = ((0.1, -0.02, 0.075), (0.08, -0.02, 0.07), (0.055, -0.015, 0.06), (0.03, -0.01, 0.04))
"""Offsets from the wrist of a left hand, palm down: x along, y up, z forward; tip, first, second, third joint."""


def points() -> list[Point]:
    """List the 70 joints in order: parent joint, and offset from it in the T-pose, m."""
    face: list[Point] = [(15, (0, 0.04, 0.13)), (15, (0.032, 0.08, 0.11)), (15, (-0.032, 0.08, 0.11))]
    ears: list[Point] = [(15, (0.075, 0.05, 0)), (15, (-0.075, 0.05, 0))]
    body: list[Point] = [(joint, (0, 0, 0)) for joint in (16, 17, 18, 19, 1, 2, 4, 5, 7, 8)]
    elbows: list[Point] = [(18, (0, 0, -0.04)), (19, (0, 0, -0.04)), (18, (0, 0, 0.04)), (19, (0, 0, 0.04))]
    shoulders: list[Point] = [(16, (0, 0.05, 0)), (17, (0, 0.05, 0)), (12, (0, 0, 0))]
    feet = [*foot(7, 10, LEFT), *foot(8, 11, RIGHT)]
    return [*face, *ears, *body, *feet, *hand(21, RIGHT), *hand(20, LEFT), *elbows, *shoulders]


def foot(ankle: int, toes: int, side: tuple[float, ...]) -> list[Point]:
    """Big toe, small toe, heel."""
    return [(toes, on(side, -0.02, -0.02, 0.08)), (toes, on(side, 0.05, -0.02, 0.04)), (ankle, on(side, 0, -0.06, -0.06))]


def hand(wrist: int, side: tuple[float, ...]) -> list[Point]:
    """Thumb, index, middle, ring, pinky, from the tip; then the wrist."""
    fingers = [on(side, along, 0, across) for across in FINGERS_ACROSS_M.values() for along in FINGERS_ALONG_M]
    return [*((wrist, on(side, *place)) for place in THUMB), *((wrist, place) for place in fingers), (wrist, (0, 0, 0))]


def on(side: tuple[float, ...], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Mirror an offset of the left side if needed."""
    return side[0] * x, side[1] * y, side[2] * z


def mhr_positions(rotvecs: Array) -> Array:
    """Positions for joint rotations (24, 3) rad: (70, 3) m relative to the centre of the hips, x right, y down, z forward."""
    rest = load_default_body().rest_joints(np.zeros(10))
    world, joints = forward_kinematics(rest, matrices_from_axis_angle(rotvecs), np.zeros(3))
    positions = np.array([joints[joint] + world[joint] @ np.array(offset) for joint, offset in points()])
    return (positions - joints[[1, 2]].mean(0)) * (1, -1, -1)
