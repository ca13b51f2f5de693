"""Furniture that hides parts of a person: tables in front, and boxes between the person and the camera."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from train_lifter.performance import Performance
from train_lifter.rotations import J, about

Array = NDArray[Any]

_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
_QUADS = {(0, 1, 3, 2): 0.75, (4, 6, 7, 5): 0.8, (0, 4, 5, 1): 0.4, (2, 3, 7, 6): 1.0, (0, 2, 6, 4): 0.6, (1, 5, 7, 3): 0.65}
"""Corners of the faces, and how light each is."""


def box(center: Array, size: Array, heading: float, colour: Array) -> Array:
    """Return the triangles of a box, (36, 6) float32: position, m, world, and RGB; turned about y by heading degrees."""
    corners = _CORNERS * size @ about("y", heading).T + center
    rows = [np.r_[corners[quad[corner]], colour * light] for quad, light in _QUADS.items() for corner in (0, 1, 2, 0, 2, 3)]
    return np.array(rows, np.float32)


def table(rng: np.random.Generator, performance: Performance) -> Array:
    """Return a table in front of the person, (T, 6): a top and a front, or legs."""
    joints = performance.joints.mean(0)
    facing = performance.world_rotations[:, 0, :, 2].mean(0) * [1, 0, 1]
    facing /= max(float(np.linalg.norm(facing)), 1e-6)
    heading = float(np.degrees(np.arctan2(facing[0], facing[2])))
    waist, chest = joints[J["spine1"], 1], joints[J["spine3"], 1]
    top = rng.uniform(waist - 0.1, chest - 0.02)
    depth, width, gap = rng.uniform(0.4, 1.0), rng.uniform(0.8, 2.6), rng.uniform(0.1, 0.35)
    middle = joints[J["pelvis"]] + facing * (gap + depth / 2)
    colour = rng.uniform(0.05, 1, 3)
    parts = [box(np.array([middle[0], top - 0.02, middle[2]]), np.array([width, 0.04, depth]), heading, colour)]
    if rng.random() < 0.6:  # a front down to the floor
        front = joints[J["pelvis"]] + facing * (gap + depth - 0.03)
        parts.append(box(np.array([front[0], top / 2, front[2]]), np.array([width, top, 0.04]), heading, colour * 0.9))
    if rng.random() < 0.5:  # a screen, a bag, a cup on it
        size = rng.uniform([0.1, 0.05, 0.05], [0.5, 0.35, 0.2])
        side = np.array([facing[2], 0, -facing[0]]) * rng.uniform(-0.5, 0.5) * width * 0.6
        spot = middle + side + facing * rng.uniform(0, 0.3) * depth
        parts.append(box(np.array([spot[0], top + size[1] / 2, spot[2]]), size, heading, rng.uniform(0, 1, 3)))
    return np.concatenate(parts)


def obstacle(rng: np.random.Generator, performance: Performance, eye: Array) -> Array:
    """Return one to three boxes between the person and the camera at eye (3,), m, world: (T, 6)."""
    parts = []
    for _ in range(rng.integers(1, 4)):
        target = performance.joints[rng.integers(len(performance.joints)), rng.integers(24)]
        share = rng.uniform(0.25, 0.8)
        size = rng.uniform(0.08, 0.55, 3) * share * [1, rng.choice([1.0, 3.0]), 1]
        center = eye + share * (target - eye) + rng.normal(0, 0.1, 3)
        if rng.random() < 0.6:  # it stands on the floor
            size[1] = max(center[1] + size[1] / 2, 0.1)
            center[1] = size[1] / 2
        parts.append(box(center, size, rng.uniform(0, 90), rng.uniform(0, 1, 3)))
    return np.concatenate(parts)


def seat(rng: np.random.Generator, performance: Performance) -> Array:
    """Return a seat and a back rest under and behind the person, (T, 6)."""
    pelvis = performance.joints[:, 0].mean(0)
    facing = performance.world_rotations[:, 0, :, 2].mean(0) * [1, 0, 1]
    facing /= max(float(np.linalg.norm(facing)), 1e-6)
    heading = float(np.degrees(np.arctan2(facing[0], facing[2])))
    width, top, colour = rng.uniform(0.4, 1.8), max(pelvis[1] - 0.14, 0.1), rng.uniform(0, 1, 3)
    behind = pelvis - facing * 0.28
    back = rng.uniform(0.4, 0.9)
    return np.concatenate(
        [
            box(np.array([pelvis[0], top / 2, pelvis[2]]) + facing * 0.05, np.array([width, top, 0.5]), heading, colour),
            box(np.array([behind[0], top + back / 2, behind[2]]), np.array([width, back, 0.1]), heading, colour * 0.9),
        ]
    )
