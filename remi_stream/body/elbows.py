"""Twist of a straight arm from olecranon and cubital fossa: they show the elbow's hinge axis when no bend does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.extremities import FOREARM_TWIST_SHARE, rotation_about, twist_angles
from remi_stream.body.ik import IkSolution
from remi_stream.body.limbs import FULL_BEND, MIN_BEND, LimbRest
from remi_stream.body.smpl import forward_kinematics
from remi_stream.geometry import angle_between, cross_product, shortest_rotation

COLLARS, UPPER_ARMS, FOREARMS, HANDS = [13, 14], [16, 17], [18, 19], [20, 21]
"""Joints of the left and the right arm."""
MIN_ELBOW_DEPTH_M = 0.02
"""Least distance of the two sides of an elbow, which are some 7 cm apart; a smaller one gives no direction."""


class ElbowDirections(NamedTuple):
    """Both elbows as observed, left and right."""

    front: np.ndarray
    """(2, 3) m, from the olecranon (tip) to the cubital fossa (hollow)."""
    visibility: np.ndarray
    """(2,) in [0, 1]: visibility."""


def twist_arms(solution: IkSolution, rest_joints: np.ndarray, rest: LimbRest, elbows: ElbowDirections) -> IkSolution:
    """Twist the upper arms until their hinge axes agree with the elbows', the less the more an arm is bent.

    The hinge axis is perpendicular to the upper arm and to `front`. Forearms keep their direction, and hands their orientation;
    the forearm takes the same share of the hand's twist as in `turn_ends`. rest_joints: (24, 3) m.
    """
    world, _ = forward_kinematics(rest_joints, solution.rotations, np.zeros(3))
    upper, fore = world[UPPER_ARMS], world[FOREARMS]
    bone, below = rotate(upper, rest.upper[:2]), rotate(fore, rest.lower[:2])
    share = elbow_weights(angle_between(bone, below), elbows)
    turn = share * signed_angle(bone, rotate(upper, rest.axis[:2]), cross_product(bone, elbows.front))
    turned = rotation_about(bone, turn) @ upper
    shift = untwisted_forearms(upper, below, rest).swapaxes(1, 2) @ untwisted_forearms(turned, below, rest)
    twisted = fore @ rotation_about(rest.lower[:2], (1 - FOREARM_TWIST_SHARE) * twist_angles(shift, rest.lower[:2], np.zeros(2)))
    rotations = solution.rotations.copy()
    rotations[UPPER_ARMS] = world[COLLARS].swapaxes(1, 2) @ turned
    rotations[FOREARMS] = turned.swapaxes(1, 2) @ twisted
    rotations[HANDS] = twisted.swapaxes(1, 2) @ world[HANDS]
    return solution._replace(rotations=rotations)


def elbow_weights(bend: np.ndarray, elbows: ElbowDirections) -> np.ndarray:
    """Return the weight (2,) in [0, 1] of the elbows: 1 for a straight arm, 0 for one whose bend shows the hinge axis."""
    straight = 1 - np.clip((bend - MIN_BEND) / (FULL_BEND - MIN_BEND), 0, 1)
    return straight * elbows.visibility * (np.linalg.norm(elbows.front, axis=1) > MIN_ELBOW_DEPTH_M)


def signed_angle(axes: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the signed angles (N,), rad, from start to end (N, 3), both perpendicular to the unit axes (N, 3)."""
    return np.arctan2((cross_product(start, end) * axes).sum(1), (start * end).sum(1))


def untwisted_forearms(upper: np.ndarray, below: np.ndarray, rest: LimbRest) -> np.ndarray:
    """Return world rotations (2, 3, 3) of forearms along below (2, 3) without a twist relative to the upper arms (2, 3, 3)."""
    return upper @ shortest_rotation(rest.lower[:2], rotate(upper.swapaxes(1, 2), below))


def rotate(rotations: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Apply rotations (N, 3, 3) to vectors (N, 3)."""
    return np.einsum("nab,nb->na", rotations, vectors)
