"""Twist of a straight arm from olecranon and cubital fossa: they show the elbow's hinge axis when no bend does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.extremities import TWIST_ABOVE, about, twists
from remi_stream.body.ik import Solution
from remi_stream.body.limbs import BENT, STRAIGHT, Rest
from remi_stream.body.smpl import forward_kinematics
from remi_stream.geometry import angle_between, cross, swing

COLLARS, UPPER, FORE, HANDS = [13, 14], [16, 17], [18, 19], [20, 21]
"""Joints of the left and the right arm."""
THINNEST_M = 0.02
"""Least distance of the two sides of an elbow, which are some 7 cm apart; a smaller one gives no direction."""


class Elbows(NamedTuple):
    """Both elbows as observed, left and right."""

    front: np.ndarray
    """(2, 3) m, from the olecranon (tip) to the cubital fossa (hollow)."""
    seen: np.ndarray
    """(2,) in [0, 1]: visibility."""


def turn_arms(solution: Solution, rest_joints: np.ndarray, rest: Rest, elbows: Elbows) -> Solution:
    """Twist the upper arms until their hinge axes agree with the elbows', the less the more an arm is bent.

    The hinge axis is perpendicular to the upper arm and to `front`. Forearms keep their direction, and hands their orientation;
    the forearm takes the same share of the hand's twist as in `turn_ends`. rest_joints: (24, 3) m.
    """
    world, _ = forward_kinematics(rest_joints, solution.rotations, np.zeros(3))
    upper, fore = world[UPPER], world[FORE]
    bone, below = rotated(upper, rest.upper[:2]), rotated(fore, rest.lower[:2])
    share = trust(angle_between(bone, below), elbows)
    turn = share * angle_about(bone, rotated(upper, rest.axis[:2]), cross(bone, elbows.front))
    turned = about(bone, turn) @ upper
    shift = untwisted(upper, below, rest).swapaxes(1, 2) @ untwisted(turned, below, rest)
    twisted = fore @ about(rest.lower[:2], (1 - TWIST_ABOVE) * twists(shift, rest.lower[:2], np.zeros(2)))
    rotations = solution.rotations.copy()
    rotations[UPPER] = world[COLLARS].swapaxes(1, 2) @ turned
    rotations[FORE] = turned.swapaxes(1, 2) @ twisted
    rotations[HANDS] = twisted.swapaxes(1, 2) @ world[HANDS]
    return solution._replace(rotations=rotations)


def trust(bend: np.ndarray, elbows: Elbows) -> np.ndarray:
    """Return the weight (2,) in [0, 1] of the elbows: 1 for a straight arm, 0 for one whose bend shows the hinge axis."""
    straight = 1 - np.clip((bend - STRAIGHT) / (BENT - STRAIGHT), 0, 1)
    return straight * elbows.seen * (np.linalg.norm(elbows.front, axis=1) > THINNEST_M)


def angle_about(axes: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the signed angles (N,), rad, from start to end (N, 3), both perpendicular to the unit axes (N, 3)."""
    return np.arctan2((cross(start, end) * axes).sum(1), (start * end).sum(1))


def untwisted(upper: np.ndarray, below: np.ndarray, rest: Rest) -> np.ndarray:
    """Return world rotations (2, 3, 3) of forearms along below (2, 3) without a twist relative to the upper arms (2, 3, 3)."""
    return upper @ swing(rest.lower[:2], rotated(upper.swapaxes(1, 2), below))


def rotated(turns: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Apply rotations (N, 3, 3) to vectors (N, 3)."""
    return np.einsum("nab,nb->na", turns, vectors)
