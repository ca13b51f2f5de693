"""Fuse 2D and 3D landmarks: points on the rays of their pixels, with the body's bone lengths (Gauss-Newton).

The network's pixels are far better than its depths, and its bone lengths vary by 7-18 % between frames. So every landmark stays
on its pixel's ray, and the depths of the 12 limb joints are the least-squares solution for the mean body's bone lengths and
the network's depth differences.
"""

from __future__ import annotations

import numpy as np

from remi_stream.body.attachments import body_landmarks
from remi_stream.body.translation import fit_translation
from remi_stream.geometry import Intrinsics, shortest_rotation, unproject
from remi_stream.skeletons import LIMB_JOINTS, joint_indices

LENGTH_SPREAD_M = 0.02
"""Standard deviation of a bone's length from the mean body's."""
DEPTH_STEP_SPREAD_M = 0.06
"""Standard deviation of the network's depth difference along a bone."""
DEPTH_SPREAD_M = 1.0
"""Standard deviation of the initial depths; weak, it only keeps the system regular."""
ITERATIONS = 3
"""Gauss-Newton iterations."""
FORWARD = np.array([0, 0, 1.0])
TORSO = [11, 12, 23, 24]
MIN_DEPTH_M = 0.2
"""Least depth of a landmark."""

LIMB_LANDMARKS = np.array(joint_indices("blazepose33", LIMB_JOINTS))
_BONES = "11-12 11-23 12-24 23-24 11-24 12-23 11-13 13-15 12-14 14-16 23-25 25-27 24-26 26-28"  # the torso also crosswise
BONE_STARTS, BONE_ENDS = np.array([[int(end) for end in bone.split("-")] for bone in _BONES.split()]).T
_PLACE = {int(landmark): place for place, landmark in enumerate(LIMB_LANDMARKS)}
_STARTS, _ENDS = (np.array([_PLACE[int(landmark)] for landmark in ends]) for ends in (BONE_STARTS, BONE_ENDS))
_DIFFERENCES = np.eye(len(LIMB_LANDMARKS))[_STARTS] - np.eye(len(LIMB_LANDMARKS))[_ENDS]
_ANCHORS = {12: range(11), 15: (17, 19, 21), 16: (18, 20, 22), 27: (29, 31), 28: (30, 32)}
DEPTH_ANCHORS = np.arange(33)
"""(33,) int, the limb joint whose change of depth each landmark takes (the face: the mean of the shoulders)."""
for _limb, _followers in _ANCHORS.items():
    DEPTH_ANCHORS[list(_followers)] = _limb


def bone_lengths(rest_joints: np.ndarray) -> np.ndarray:
    """Return the lengths (14,), m, of the bones between landmarks on a body with rest_joints (24, 3)."""
    rest = body_landmarks(np.broadcast_to(np.eye(3), (24, 3, 3)), rest_joints)
    return np.linalg.norm(rest[BONE_STARTS] - rest[BONE_ENDS], axis=1)


def lift_landmarks(
    world: np.ndarray, pixels: np.ndarray, weights: np.ndarray, intrinsics: Intrinsics, lengths: np.ndarray
) -> np.ndarray:
    """Lift to landmarks (33, 3), m, camera frame, of a person of the mean body's size.

    world: (33, 3) m, any origin, in the frame of a camera that points at the person (the network gets a crop). pixels:
    (33, 2). weights: (33,). lengths: (14,) m, from `bone_lengths`.
    """
    found = np.linalg.norm(world[BONE_STARTS] - world[BONE_ENDS], axis=1)
    middle = unproject(pixels[TORSO].mean(0), intrinsics)
    world = world @ shortest_rotation(FORWARD, np.append(middle, 1.0)).T * np.median(lengths / np.maximum(found, 1e-6))
    transl = fit_translation(world[LIMB_LANDMARKS], pixels[LIMB_LANDMARKS], weights[LIMB_LANDMARKS], intrinsics)
    guess = np.maximum(world[:, 2] + transl[2], MIN_DEPTH_M)
    directions = np.concatenate([unproject(pixels, intrinsics), np.ones((len(pixels), 1))], 1)
    moved = solve_depths(guess[LIMB_LANDMARKS], directions[LIMB_LANDMARKS], lengths) - guess[LIMB_LANDMARKS]
    change = np.zeros(len(pixels))
    change[LIMB_LANDMARKS] = moved
    depths = guess + change[DEPTH_ANCHORS]
    depths[:11] = guess[:11] + moved[:2].mean()
    return directions * np.maximum(depths, MIN_DEPTH_M)[:, None]


def solve_depths(guess: np.ndarray, directions: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Solve for depths (12,) along directions (12, 3), near guess (12,), that give the bone lengths (14,), by Gauss-Newton."""
    depths, steps = guess, _DIFFERENCES @ guess
    for _ in range(ITERATIONS):
        bones = _DIFFERENCES @ (directions * depths[:, None])
        long = np.maximum(np.sqrt((bones**2).sum(1)), 1e-6)
        slopes = (bones / long[:, None]) @ directions.T * _DIFFERENCES
        jacobian = np.concatenate(
            [slopes / LENGTH_SPREAD_M, _DIFFERENCES / DEPTH_STEP_SPREAD_M, np.eye(len(guess)) / DEPTH_SPREAD_M]
        )
        residuals = np.concatenate(
            [
                (long - lengths) / LENGTH_SPREAD_M,
                (_DIFFERENCES @ depths - steps) / DEPTH_STEP_SPREAD_M,
                (depths - guess) / DEPTH_SPREAD_M,
            ]
        )
        depths = depths - np.linalg.solve(jacobian.T @ jacobian, jacobian.T @ residuals)
    return depths
