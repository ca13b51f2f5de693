"""Inverse kinematics of arms and legs: two bones and a hinge axis, which is remembered while the limb is straight.

Everything is in the frame of the bone above (chest or pelvis), so that the remembered axes rotate with the body. Order of the
limbs: left arm, right arm, left leg, right leg.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.geometry import angle_between, cross_product, orthonormal_axes, shortest_rotation, unit_vectors

MIN_BEND, FULL_BEND = np.radians(10), np.radians(35)
"""Bends between which the weight of the measured axis rises from 0 to 1."""
REVERSED_BELOW = np.radians(60)
REVERSED_WEIGHT = 0.2
"""Weight of a measured axis that points the opposite way while the bend is below REVERSED_BELOW: this is noise."""
RELAXATION_S = 1.0
"""Time in which a remembered axis returns to that of a relaxed limb."""


class LimbRest(NamedTuple):
    """The limbs of the rest pose."""

    upper: np.ndarray
    """(4, 3), unit directions of upper arms and thighs."""
    lower: np.ndarray
    """(4, 3), unit directions of forearms and shins."""
    axis: np.ndarray
    """(4, 3), unit hinge axes."""


class HingeState(NamedTuple):
    """State between frames, in the frame of the bone above."""

    axis: np.ndarray
    """(4, 3), hinge axes."""
    upper: np.ndarray
    """(4, 3), directions of the upper bones."""


class LimbRotations(NamedTuple):
    """Solved limbs."""

    upper: np.ndarray
    """(4, 3, 3), rotations relative to the bone above."""
    lower: np.ndarray
    """(4, 3, 3), rotations relative to the upper bone."""
    axis_weights: np.ndarray
    """(4,) in [0, 1]: weight of the measured hinge axis."""
    hinge_state: HingeState
    """State for the next frame."""


def limb_rest(upper: np.ndarray, lower: np.ndarray) -> LimbRest:
    """Describe a rest pose with palms down and toes forward: forearms bend forward, shins backward."""
    toward = np.array([[0, 0, 1.0], [0, 0, 1.0], [0, 0, -1.0], [0, 0, -1.0]])
    return LimbRest(unit_vectors(upper), unit_vectors(lower), unit_vectors(cross_product(upper, toward)))


def solve_limbs(
    rest: LimbRest, upper: np.ndarray, lower: np.ndarray, relaxed: np.ndarray, previous: HingeState | None, elapsed: float
) -> LimbRotations:
    """Solve the limbs' rotations so that their bones point along upper, lower (4, 3), in the frame of the bone above.

    relaxed: (4, 3), fallback hinge axes. previous: state of the last frame, elapsed seconds ago.
    """
    upper, lower = unit_vectors(upper), unit_vectors(lower)
    expected = relaxed if previous is None else predict_axes(previous, upper, relaxed, elapsed)
    axis, seen = hinge_axes(upper, lower, expected)
    turned = orthonormal_axes(upper, axis) @ orthonormal_axes(rest.upper, rest.axis).swapaxes(1, 2)
    forearm = np.einsum("nba,nb->na", turned, lower)
    return LimbRotations(turned, shortest_rotation(rest.lower, forearm), seen, HingeState(axis, upper))


def predict_axes(previous: HingeState, upper: np.ndarray, relaxed: np.ndarray, elapsed: float) -> np.ndarray:
    """Predict the hinge axes (4, 3): the remembered ones, rotated with the upper bones and blended towards the relaxed ones."""
    share = min(elapsed / RELAXATION_S, 1.0)
    return (1 - share) * np.einsum("nab,nb->na", shortest_rotation(previous.upper, upper), previous.axis) + share * relaxed


def hinge_axes(upper: np.ndarray, lower: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hinge axes (4, 3), and the weight of the measured ones (4,); the expected ones have the remaining weight."""
    angle = angle_between(upper, lower)
    measured = unit_vectors(cross_product(upper, lower))
    seen = np.clip((angle - MIN_BEND) / (FULL_BEND - MIN_BEND), 0, 1)
    turned_round = ((measured * expected).sum(1) < -0.5) & (angle < REVERSED_BELOW)
    seen = np.where(turned_round, REVERSED_WEIGHT * seen, seen)
    axis = seen[:, None] * measured + (1 - seen[:, None]) * expected
    return unit_vectors(axis - upper * (axis * upper).sum(1, keepdims=True)), seen
