"""Arms and legs as hinges: two bones and the axis they bend about, which is held while they are straight.

Everything is in the frame of the bone above (chest or pelvis), so that a turn of the whole body turns the held axes along.
Limbs stand in the order left arm, right arm, left leg, right leg.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.geometry import angle_between, cross, frame, swing, unit

STRAIGHT, BENT = np.radians(10), np.radians(35)
"""Below the first bend the axis is not seen at all, above the second it is believed entirely."""
DOUBT_BELOW = np.radians(60)
DOUBT = 0.2
"""An axis that turned round while the bend is small is noise: it counts this much."""
RELAX_S = 1.0
"""A held axis goes back to where a relaxed limb has it in about this time."""


class Rest(NamedTuple):
    """The limbs of the rest pose: upper, lower: (4, 3) directions. axis: (4, 3), what each one bends about."""

    upper: np.ndarray
    lower: np.ndarray
    axis: np.ndarray


class Held(NamedTuple):
    """What is remembered: axis and upper bone of the last frame, (4, 3) each, in the frame of the bone above."""

    axis: np.ndarray
    upper: np.ndarray


class Hinges(NamedTuple):
    """upper, lower: (4, 3, 3) rotations, each in its parent. seen: (4,) in [0, 1], how much of the axis was measured."""

    upper: np.ndarray
    lower: np.ndarray
    seen: np.ndarray
    held: Held


def rest_of(upper: np.ndarray, lower: np.ndarray) -> Rest:
    """Describe a rest pose with palms down and toes ahead: forearms bend forward, shins back."""
    toward = np.array([[0, 0, 1.0], [0, 0, 1.0], [0, 0, -1.0], [0, 0, -1.0]])
    return Rest(unit(upper), unit(lower), unit(cross(upper, toward)))


def bend(rest: Rest, upper: np.ndarray, lower: np.ndarray, relaxed: np.ndarray, held: Held | None, elapsed: float) -> Hinges:
    """Turn the limbs so that their bones point along upper, lower (4, 3), in the frame of the bone above.

    relaxed: (4, 3), the axes to fall back on. held: from the last frame, elapsed seconds ago.
    """
    upper, lower = unit(upper), unit(lower)
    expected = relaxed if held is None else carried(held, upper, relaxed, elapsed)
    axis, seen = hinge_axes(upper, lower, expected)
    turned = frame(upper, axis) @ frame(rest.upper, rest.axis).swapaxes(1, 2)
    forearm = np.einsum("nba,nb->na", turned, lower)
    return Hinges(turned, swing(rest.lower, forearm), seen, Held(axis, upper))


def carried(held: Held, upper: np.ndarray, relaxed: np.ndarray, elapsed: float) -> np.ndarray:
    """The held axes (4, 3), swung along with the upper bones, on their way back to the relaxed ones."""
    share = min(elapsed / RELAX_S, 1.0)
    return (1 - share) * np.einsum("nab,nb->na", swing(held.upper, upper), held.axis) + share * relaxed


def hinge_axes(upper: np.ndarray, lower: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The axes (4, 3) the limbs bend about, and how much of each was seen (4,): the rest is what was expected."""
    angle = angle_between(upper, lower)
    measured = unit(cross(upper, lower))
    seen = np.clip((angle - STRAIGHT) / (BENT - STRAIGHT), 0, 1)
    turned_round = ((measured * expected).sum(1) < -0.5) & (angle < DOUBT_BELOW)
    seen = np.where(turned_round, DOUBT * seen, seen)
    axis = seen[:, None] * measured + (1 - seen[:, None]) * expected
    return unit(axis - upper * (axis * upper).sum(1, keepdims=True)), seen
