"""Placement of a motion in the world: on the floor, moved so that the supporting foot does not skate; contact of the feet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from train_lifter.rotations import J

Array = NDArray[Any]

FEET = [J["left_ankle"], J["right_ankle"], J["left_foot"], J["right_foot"]]
"""The joints whose contact is stored, in this order."""
SUPPORTS = [*FEET, J["left_knee"], J["right_knee"], J["left_wrist"], J["right_wrist"], J["pelvis"], J["spine3"]]
"""Joints that a body may stand on."""
CLEARANCE_M = {"pelvis": 0.11, "spine1": 0.11, "spine2": 0.11, "spine3": 0.11, "neck": 0.06, "head": 0.10}
"""Height of a joint's centre when it lies on the floor; all other joints but the feet have LIMB_CLEARANCE_M."""
LIMB_CLEARANCE_M = 0.05
CHANGE_M = 0.025
"""Another joint takes over the support when it is lower by this."""
FLIGHT_M = 0.04
"""Above this height of the lowest joint a recorded person is in the air."""
CONTACT_M, CONTACT_M_S = 0.03, 0.2
"""Largest height and speed of a foot in contact with the floor."""


def clearances(rest_joints: Array, sole_m: float) -> Array:
    """Return the height (24,), m, of each joint above the floor that it touches; sole_m: y of the soles in the rest pose."""
    found = np.full(24, LIMB_CLEARANCE_M)
    for name, height in CLEARANCE_M.items():
        found[J[name]] = height
    found[FEET] = rest_joints[FEET, 1] - sole_m
    return found


def plant(joints: Array, clearance: Array, hop_m: Array, track: Array | None) -> Array:
    """Return the pelvis (N, 3), m, world axes with the floor at y = 0, of joints (N, 24, 3) from the pelvis.

    hop_m: (N,) height of the lowest joint. track: (N, 3), a recorded pelvis: its height counts, and its movement while the
    person is in the air.
    """
    low = (joints[..., 1] - clearance).min(1)
    height = hop_m - low
    if track is not None:
        # the recording's floor: where the lowest joint usually is
        height = np.maximum(track[:, 1] - np.percentile(track[:, 1] + low, 8), -low)
    place = np.zeros((len(joints), 3))
    place[:, 1] = height
    place[:, [0, 2]] = support_track(joints, clearance, height, track)
    return place


def support_track(joints: Array, clearance: Array, height: Array, track: Array | None) -> Array:
    """Return the path (N, 2), x and z, m, of the pelvis over a support that stands still."""
    points = joints[:, SUPPORTS]
    above = points[..., 1] + height[:, None] - clearance[SUPPORTS]
    path, support = np.zeros((len(joints), 2)), int(above[0].argmin())
    for frame in range(1, len(joints)):
        if above[frame, support] > above[frame].min() + CHANGE_M:
            support = int(above[frame].argmin())
        step = (points[frame - 1, support] - points[frame, support])[[0, 2]]
        if track is not None and above[frame].min() > FLIGHT_M:
            step = (track[frame] - track[frame - 1])[[0, 2]]
        path[frame] = path[frame - 1] + step
    return path


def contacts(joints_world: Array, clearance: Array, fps: float) -> Array:
    """Return which FEET stand on the floor, (N, 4) bool, from joints (N, 24, 3), m, world."""
    feet = joints_world[:, FEET]
    speed = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * fps
    found: Array = (feet[..., 1] - clearance[FEET] < CONTACT_M) & (speed < CONTACT_M_S)
    return found
