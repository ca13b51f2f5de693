"""Inverse kinematics of limbs: arms and legs as two bones with a hinge axis, hands and feet by swing and twist.

Arms and legs are in the frame of the bone above (chest or pelvis), so that hinge axes, which are remembered while a limb is
straight, rotate with the body. Order of the limbs: left arm, right arm, left leg, right leg.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import (
    angle_between,
    axis_angle_from_matrices,
    cross_product,
    matrices_from_axis_angle,
    orthonormal_axes,
    quaternions_from_matrices,
    shortest_rotation,
    unit_vectors,
)

MIN_BEND, FULL_BEND = np.radians(10), np.radians(35)
"""Bends between which the weight of the measured axis rises from 0 to 1: the axis of a nearly straight limb is noise. Blending
with the remembered axis took the twist's change per frame from 124 to 7 degrees (p95, measured)."""
REVERSED_FROM = np.radians(120)
REVERSED_WEIGHTS = 0.1, 0.5
REVERSED_BENDS = np.radians(35), np.radians(90)
"""A measured axis that points the opposite way (REVERSED_FROM) is mostly depth noise: its weight rises from the first to the
second value between these bends, so that a flip is taken gradually, and by several frames only."""
MAX_TURN_RATE = np.radians(720)
"""Largest turn of a joint, or of a hinge axis about its bone, rad/s: a fast throw."""
RELAXATION_S = 1.0
"""Time in which a remembered axis returns to that of a relaxed limb."""
FOOT_RELAXATION_S = 0.15
"""Time in which the axis of a straight leg returns to the one that its foot shows."""


class LimbRest(NamedTuple):
    """The limbs of the rest pose."""

    upper: np.ndarray
    """(4, 3), unit directions of upper arms and thighs."""
    lower: np.ndarray
    """(4, 3), unit directions of forearms and shins."""
    axis: np.ndarray
    """(4, 3), unit hinge axes."""


class RelaxedAxes(NamedTuple):
    """Hinge axes of straight limbs, in the frame of the bone above."""

    axes: np.ndarray
    """(4, 3)."""
    times_s: np.ndarray
    """(4,) s: times in which a remembered axis returns to them."""


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
    rest: LimbRest, upper: np.ndarray, lower: np.ndarray, relaxed: RelaxedAxes, previous: HingeState | None, elapsed: float
) -> LimbRotations:
    """Solve the limbs' rotations so that their bones point along upper, lower (4, 3), in the frame of the bone above.

    relaxed: axes of straight limbs. previous: state of the last frame, elapsed seconds ago.
    """
    upper, lower = unit_vectors(upper), unit_vectors(lower)
    bend, measured = angle_between(upper, lower), unit_vectors(cross_product(upper, lower))
    weights = np.clip((bend - MIN_BEND) / (FULL_BEND - MIN_BEND), 0, 1)
    expected = relaxed.axes if previous is None else predict_axes(previous, upper, relaxed, elapsed)
    weights = weights * reversal_weights(expected, measured, bend)
    if previous is None:
        axis = perpendicular(weights[:, None] * measured + (1 - weights[:, None]) * expected, upper)
    else:
        axis = turn_axes(perpendicular(expected, upper), measured, weights, upper, elapsed)
    turned = orthonormal_axes(upper, axis) @ orthonormal_axes(rest.upper, rest.axis).swapaxes(1, 2)
    forearm = np.einsum("nba,nb->na", turned, lower)
    return LimbRotations(turned, shortest_rotation(rest.lower, forearm), weights, HingeState(axis, upper))


def predict_axes(previous: HingeState, upper: np.ndarray, relaxed: RelaxedAxes, elapsed: float) -> np.ndarray:
    """Predict the hinge axes (4, 3): the remembered ones, rotated with the upper bones and blended towards the relaxed ones."""
    share = np.minimum(elapsed / relaxed.times_s, 1.0)[:, None]
    return (1 - share) * np.einsum("nab,nb->na", shortest_rotation(previous.upper, upper), previous.axis) + share * relaxed.axes


def reversal_weights(expected: np.ndarray, measured: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Return weights (4,) in [0, 1] of measured axes (4, 3) by how far they are from the expected ones; bend: (4,) rad."""
    is_reversed = angle_between(expected, measured) > REVERSED_FROM
    return np.where(is_reversed, np.interp(bend, REVERSED_BENDS, REVERSED_WEIGHTS), 1.0)


def turn_axes(expected: np.ndarray, measured: np.ndarray, weights: np.ndarray, upper: np.ndarray, elapsed: float) -> np.ndarray:
    """Turn the expected hinge axes (4, 3) about the unit bones upper (4, 3) towards the measured ones, by their weights (4,).

    A turn is at most MAX_TURN_RATE. (A sum of the two would stay at the expected one until the measured one outweighs it, and
    then flip at once.)
    """
    angle = np.arctan2((cross_product(expected, measured) * upper).sum(1), (expected * measured).sum(1))
    limit = MAX_TURN_RATE * elapsed
    turns = rotation_about(upper, np.clip(weights * angle, -limit, limit))
    return perpendicular(np.einsum("nab,nb->na", turns, expected), upper)


def perpendicular(axes: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """Return unit vectors (N, 3): the parts of axes (N, 3) that are perpendicular to unit bones (N, 3)."""
    return unit_vectors(axes - bones * (axes * bones).sum(1, keepdims=True))


# Inverse kinematics of hands and feet: swing and twist of wrists and ankles from few, noisy landmarks.

ALONG_STARTS, ALONG_ENDS = [15, 16, 29, 30], [(17, 19), (18, 20), (31, 31), (32, 32)]
ACROSS_STARTS, ACROSS_ENDS = [17, 18, 29, 30], [19, 20, 27, 28]
"""Landmarks of the directions. Along: a hand from wrist to knuckles, a foot from heel to toe. Across: a hand from little to index
finger, a foot from heel to ankle. Order: left hand, right hand, left foot, right foot."""
END_HINGES, END_TIPS = [13, 14, 25, 26], [15, 16, 27, 28]
"""Landmarks of forearms and shins."""
SMOOTHING_S = 0.05
"""Time constant of the directions' exponential smoothing."""
MAX_TWIST = np.radians([120, 120, 45, 45])
"""Limits of the twist of hands (with the forearm) and feet."""
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
    """(4,) rad, about the forearms and shins, unwrapped."""


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
    bones = unit_vectors(rest[END_TIPS] - rest[END_HINGES])
    twist = twist_angles(turns, bones, np.zeros(4) if previous is None else previous.twist)
    # swing-twist decomposition about the forearm or shin; each part has its own limit, as one limit of the whole rotation
    # would change its sign past a half turn
    swings = limit_angles(turns @ rotation_about(bones, -twist), MAX_SWING)
    twist = np.clip(twist, -MAX_TWIST, MAX_TWIST)
    if previous is not None:
        step = MAX_TURN_RATE * elapsed
        twist = np.clip(twist, previous.twist - step, previous.twist + step)
    ends = swings @ rotation_about(bones, twist)
    forearms = rotation_about(bones[:2], FOREARM_TWIST_SHARE * twist[:2])
    ends[:2] = forearms.swapaxes(1, 2) @ ends[:2]
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
