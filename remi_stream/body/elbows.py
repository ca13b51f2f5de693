"""The twist of a straight arm, from the two sides of its elbow: where landmarks show no bend, these still show its axis."""

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
"""Sides of an elbow that are nearer to each other tell nothing; they are some 7 cm apart."""


class Elbows(NamedTuple):
    """front: (2, 3) m, from the tip of the elbow to the hollow before it, left, right. seen: (2,) in [0, 1], how well."""

    front: np.ndarray
    seen: np.ndarray


def turn_arms(solution: Solution, rest_joints: np.ndarray, rest: Rest, elbows: Elbows) -> Solution:
    """Turn the upper arms about themselves as far as the elbows ask for, the less the more an arm is bent.

    The hinge's axis lies across the upper arm and across what points to the front. Forearms keep their direction, and the hands
    their attitude; the forearm's share of the hand's twist is that of `turn_ends`. rest_joints: (24, 3) m.
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
    """How much the elbows' sides decide, (2,) in [0, 1]: all for a straight arm, nothing for one whose bend shows the axis."""
    straight = 1 - np.clip((bend - STRAIGHT) / (BENT - STRAIGHT), 0, 1)
    return straight * elbows.seen * (np.linalg.norm(elbows.front, axis=1) > THINNEST_M)


def angle_about(axes: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The angles (N,), rad, from start to end (N, 3) about unit axes (N, 3) that both lie across."""
    return np.arctan2((cross(start, end) * axes).sum(1), (start * end).sum(1))


def untwisted(upper: np.ndarray, below: np.ndarray, rest: Rest) -> np.ndarray:
    """World rotations (2, 3, 3) of forearms that point along below (2, 3) without a twist against their upper arms (2, 3, 3)."""
    return upper @ swing(rest.lower[:2], rotated(upper.swapaxes(1, 2), below))


def rotated(turns: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Each rotation (N, 3, 3) of each vector (N, 3)."""
    return np.einsum("nab,nb->na", turns, vectors)
