"""Inverse kinematics of hands and feet: swing and twist of wrists and ankles from few, noisy landmarks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import frame, quaternions, rotation_matrices, rotation_vectors, unit

ALONG_STARTS, ALONG_ENDS = [15, 16, 29, 30], [(17, 19), (18, 20), (31, 31), (32, 32)]
ACROSS_STARTS, ACROSS_ENDS = [17, 18, 29, 30], [19, 20, 27, 28]
"""Landmarks of the directions. Along: a hand from wrist to knuckles, a foot from heel to toe. Across: a hand from little to index
finger, a foot from heel to ankle. Order: left hand, right hand, left foot, right foot."""
SETTLE_S = 0.05
"""Time constant of the directions' exponential smoothing."""
TWIST_MOST = math.radians(120)
"""Limit of a hand's twist."""
SWING_MOST = np.radians([70, 70, 60, 60])
"""Limits of the swing of hands and feet."""
TWIST_ABOVE = 0.5
"""Share of a hand's twist that the forearm takes, since radius and ulna twist with the hand."""


class Ends(NamedTuple):
    """State of hands and feet between frames, relative to the bone above."""

    along: np.ndarray
    """(4, 3), smoothed."""
    across: np.ndarray
    """(4, 3), smoothed."""
    twist: np.ndarray
    """(2,) rad, of the hands, unwrapped."""


def directions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions along and across hands and feet, (4, 3) each, from landmarks (33, 3)."""
    along = points[ALONG_ENDS].mean(1) - points[ALONG_STARTS]
    return unit(along), unit(points[ACROSS_ENDS] - points[ACROSS_STARTS])


def turn_ends(
    rest: np.ndarray, points: np.ndarray, below: np.ndarray, lower: np.ndarray, before: Ends | None, elapsed: float
) -> tuple[np.ndarray, np.ndarray, Ends]:
    """Solve the rotations of elbows and knees, and of wrists and ankles, (4, 3, 3) each relative to its parent.

    rest, points: (33, 3) landmarks in the rest pose and now. below: (4, 3, 3), world rotations of forearms and shins without
    twist. lower: (4, 3, 3), the same relative to the parent. before: state of the frame elapsed seconds ago.
    """
    along, across = (np.einsum("nba,nb->na", below, axis) for axis in directions(points))
    if before is not None:
        alpha = 1 - math.exp(-elapsed / SETTLE_S)
        along = before.along + alpha * (along - before.along)
        across = before.across + alpha * (across - before.across)
    turns = frame(along, across) @ frame(*directions(rest)).swapaxes(1, 2)
    bones = unit(rest[[15, 16]] - rest[[13, 14]])
    twist = twists(turns[:2], bones, np.zeros(2) if before is None else before.twist)
    # swing-twist decomposition about the forearm; each part has its own limit
    swings = np.concatenate([turns[:2] @ about(bones, -twist), turns[2:]])
    ends = limited(swings, SWING_MOST)
    twist = np.clip(twist, -TWIST_MOST, TWIST_MOST)
    forearms = about(bones, TWIST_ABOVE * twist)
    ends[:2] = forearms.swapaxes(1, 2) @ ends[:2] @ about(bones, twist)
    middles = np.concatenate([lower[:2] @ forearms, lower[2:]])
    return middles, ends, Ends(along, across, twist)


def twists(turns: np.ndarray, bones: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the twist angles (N,), rad, of rotations (N, 3, 3) about bones (N, 3), unwrapped to be nearest to near (N,)."""
    q = quaternions(turns)
    angles = 2 * np.arctan2((q[:, :3] * bones).sum(1), q[:, 3])
    return angles - 2 * np.pi * np.round((angles - near) / (2 * np.pi))


def about(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the rotations (N, 3, 3) by angles (N,) rad about unit axes (N, 3)."""
    return rotation_matrices(axes * angles[:, None])


def limited(turns: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Limit the angles of rotations (N, 3, 3) to most (N,) rad."""
    vectors = rotation_vectors(turns)
    angles = np.sqrt((vectors**2).sum(1))
    return rotation_matrices(vectors * np.minimum(1, most / np.maximum(angles, 1e-9))[:, None])
