"""Hands and feet: how they turn from the bone above them, from the few and noisy landmarks on them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import frame, quaternions, rotation_matrices, rotation_vectors, unit

ALONG_STARTS, ALONG_ENDS = [15, 16, 29, 30], [(17, 19), (18, 20), (31, 31), (32, 32)]
ACROSS_STARTS, ACROSS_ENDS = [17, 18, 29, 30], [19, 20, 27, 28]
"""Landmarks: a hand points from the wrist to its knuckles, across them from little to index finger; a foot from the heel to
the toe, and up from the heel to the ankle. Left hand, right hand, left foot, right foot."""
SETTLE_S = 0.05
TWIST_MOST = math.radians(120)
SWING_MOST = np.radians([70, 70, 60, 60])
TWIST_ABOVE = 0.5
"""The share of a hand's twist that the forearm takes, as its two bones do."""


class Ends(NamedTuple):
    """What is remembered: along, across: (4, 3) smoothed directions seen from the bone above. twist: (2,) rad, of the hands."""

    along: np.ndarray
    across: np.ndarray
    twist: np.ndarray


def directions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where hands and feet point, and what lies across them: (4, 3) each, from landmarks (33, 3)."""
    along = points[ALONG_ENDS].mean(1) - points[ALONG_STARTS]
    return unit(along), unit(points[ACROSS_ENDS] - points[ACROSS_STARTS])


def turn_ends(
    rest: np.ndarray, points: np.ndarray, below: np.ndarray, lower: np.ndarray, before: Ends | None, elapsed: float
) -> tuple[np.ndarray, np.ndarray, Ends]:
    """Give the rotations of elbows and knees, and of wrists and ankles, (4, 3, 3) each in its parent.

    rest, points: (33, 3) landmarks at rest and now. below: (4, 3, 3), world rotations of forearms and shins without twist.
    lower: (4, 3, 3), theirs in the parent. before: of the frame elapsed seconds ago.
    """
    along, across = (np.einsum("nba,nb->na", below, axis) for axis in directions(points))
    if before is not None:
        share = 1 - math.exp(-elapsed / SETTLE_S)
        along = before.along + share * (along - before.along)
        across = before.across + share * (across - before.across)
    turns = frame(along, across) @ frame(*directions(rest)).swapaxes(1, 2)
    bones = unit(rest[[15, 16]] - rest[[13, 14]])
    twist = twists(turns[:2], bones, np.zeros(2) if before is None else before.twist)
    swings = np.concatenate([turns[:2] @ about(bones, -twist), turns[2:]])
    ends = limited(swings, SWING_MOST)
    twist = np.clip(twist, -TWIST_MOST, TWIST_MOST)
    forearms = about(bones, TWIST_ABOVE * twist)
    ends[:2] = forearms.swapaxes(1, 2) @ ends[:2] @ about(bones, twist)
    middles = np.concatenate([lower[:2] @ forearms, lower[2:]])
    return middles, ends, Ends(along, across, twist)


def twists(turns: np.ndarray, bones: np.ndarray, near: np.ndarray) -> np.ndarray:
    """How far rotations (N, 3, 3) turn about bones (N, 3), rad; of equal angles the one nearest to near (N,)."""
    q = quaternions(turns)
    angles = 2 * np.arctan2((q[:, :3] * bones).sum(1), q[:, 3])
    return angles - 2 * np.pi * np.round((angles - near) / (2 * np.pi))


def about(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) by angles (N,) rad about unit axes (N, 3)."""
    return rotation_matrices(axes * angles[:, None])


def limited(turns: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3), or as much of them as the angles most (N,) rad allow."""
    vectors = rotation_vectors(turns)
    angles = np.sqrt((vectors**2).sum(1))
    return rotation_matrices(vectors * np.minimum(1, most / np.maximum(angles, 1e-9))[:, None])
