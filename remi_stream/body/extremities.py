"""Inverse kinematics of hands and feet: swing and twist of wrists and ankles from few, noisy landmarks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import (
    axis_angle_from_matrices,
    matrices_from_axis_angle,
    orthonormal_axes,
    quaternions_from_matrices,
    unit_vectors,
)

ALONG_STARTS, ALONG_ENDS = [15, 16, 29, 30], [(17, 19), (18, 20), (31, 31), (32, 32)]
ACROSS_STARTS, ACROSS_ENDS = [17, 18, 29, 30], [19, 20, 27, 28]
"""Landmarks of the directions. Along: a hand from wrist to knuckles, a foot from heel to toe. Across: a hand from little to index
finger, a foot from heel to ankle. Order: left hand, right hand, left foot, right foot."""
SMOOTHING_S = 0.05
"""Time constant of the directions' exponential smoothing."""
MAX_TWIST = math.radians(120)
"""Limit of a hand's twist."""
MAX_SWING = np.radians([70, 70, 60, 60])
"""Limits of the swing of hands and feet."""
FOREARM_TWIST_SHARE = 0.5
"""Share of a hand's twist that the forearm takes, since radius and ulna twist with the hand."""


class ExtremityState(NamedTuple):
    """State of hands and feet between frames, relative to the bone above."""

    along: np.ndarray
    """(4, 3), smoothed."""
    across: np.ndarray
    """(4, 3), smoothed."""
    twist: np.ndarray
    """(2,) rad, of the hands, unwrapped."""


def extremity_directions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions along and across hands and feet, (4, 3) each, from landmarks (33, 3)."""
    along = points[ALONG_ENDS].mean(1) - points[ALONG_STARTS]
    return unit_vectors(along), unit_vectors(points[ACROSS_ENDS] - points[ACROSS_STARTS])


def solve_extremities(
    rest: np.ndarray, points: np.ndarray, below: np.ndarray, lower: np.ndarray, previous: ExtremityState | None, elapsed: float
) -> tuple[np.ndarray, np.ndarray, ExtremityState]:
    """Solve the rotations of elbows and knees, and of wrists and ankles, (4, 3, 3) each relative to its parent.

    rest, points: (33, 3) landmarks in the rest pose and now. below: (4, 3, 3), world rotations of forearms and shins without
    twist. lower: (4, 3, 3), the same relative to the parent. previous: state of the frame elapsed seconds ago.
    """
    along, across = (np.einsum("nba,nb->na", below, axis) for axis in extremity_directions(points))
    if previous is not None:
        alpha = 1 - math.exp(-elapsed / SMOOTHING_S)
        along = previous.along + alpha * (along - previous.along)
        across = previous.across + alpha * (across - previous.across)
    turns = orthonormal_axes(along, across) @ orthonormal_axes(*extremity_directions(rest)).swapaxes(1, 2)
    bones = unit_vectors(rest[[15, 16]] - rest[[13, 14]])
    twist = twist_angles(turns[:2], bones, np.zeros(2) if previous is None else previous.twist)
    # swing-twist decomposition about the forearm; each part has its own limit
    swings = np.concatenate([turns[:2] @ rotation_about(bones, -twist), turns[2:]])
    ends = limit_angles(swings, MAX_SWING)
    twist = np.clip(twist, -MAX_TWIST, MAX_TWIST)
    forearms = rotation_about(bones, FOREARM_TWIST_SHARE * twist)
    ends[:2] = forearms.swapaxes(1, 2) @ ends[:2] @ rotation_about(bones, twist)
    middles = np.concatenate([lower[:2] @ forearms, lower[2:]])
    return middles, ends, ExtremityState(along, across, twist)


def twist_angles(rotations: np.ndarray, bones: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the twist angles (N,), rad, of rotations (N, 3, 3) about bones (N, 3), unwrapped to be nearest to near (N,)."""
    q = quaternions_from_matrices(rotations)
    angles = 2 * np.arctan2((q[:, :3] * bones).sum(1), q[:, 3])
    return angles - 2 * np.pi * np.round((angles - near) / (2 * np.pi))


def rotation_about(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the rotations (N, 3, 3) by angles (N,) rad about unit axes (N, 3)."""
    return matrices_from_axis_angle(axes * angles[:, None])


def limit_angles(rotations: np.ndarray, max_angles: np.ndarray) -> np.ndarray:
    """Limit the angles of rotations (N, 3, 3) to max_angles (N,) rad."""
    vectors = axis_angle_from_matrices(rotations)
    angles = np.sqrt((vectors**2).sum(1))
    return matrices_from_axis_angle(vectors * np.minimum(1, max_angles / np.maximum(angles, 1e-9))[:, None])
