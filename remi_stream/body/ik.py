"""Inverse kinematics: 33 landmarks in space -> the 24 rotations of a SMPL body, in closed form.

What landmarks cannot tell is not made up: collars, toes and fingers keep their rest pose, and the spine's three joints share
the turn between pelvis and chest; head, hands and feet keep theirs where their landmarks are not known. Bones are followed by
direction, so a body of other proportions takes the same pose.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body import limbs
from remi_stream.body.attachments import JOINT, OFFSET, landmarks
from remi_stream.body.extremities import Ends, turn_ends
from remi_stream.geometry import cross, frame, rotation_matrices, rotation_vectors, swing, unit

PELVIS, HEAD, NECK, SPINE = 0, 15, 12, [3, 6, 9]
UPPER, MIDDLE, END = [16, 17, 1, 2], [18, 19, 4, 5], [20, 21, 7, 8]
ROOTS, HINGES, TIPS = [11, 12, 23, 24], [13, 14, 25, 26], [15, 16, 27, 28]
"""Landmarks of the limbs: left arm, right arm, left leg, right leg."""
FACE, HANDS, FEET = slice(0, 11), slice(17, 23), slice(29, 33)
SPINE_MOST, HEAD_MOST = np.radians(80), np.radians(90)
FOOT_SHARE = 0.5
"""How much a straight leg's turn about itself follows the foot, rather than the pelvis."""


class Memory(NamedTuple):
    """What one frame leaves to the next. ends: None where hands and feet were not known."""

    limbs: limbs.Held
    ends: Ends | None


class Solution(NamedTuple):
    """rotations: (24, 3, 3), each in its parent, the first in the landmarks' frame. joint_confidence: (24,) in [0, 1]."""

    rotations: np.ndarray
    joint_confidence: np.ndarray
    memory: Memory


class Skeleton:
    """The rest pose of a body, as inverse kinematics needs it; never changes."""

    def __init__(self, rest_joints: np.ndarray) -> None:
        rest = landmarks(np.broadcast_to(np.eye(3), (24, 3, 3)), rest_joints)
        self.torso = torso_frames(rest)
        self.limbs = limbs.rest_of(rest[HINGES] - rest[ROOTS], rest[TIPS] - rest[HINGES])
        self.face = OFFSET[JOINT == HEAD] - OFFSET[JOINT == HEAD].mean(0)
        self.points = rest

    def solve(self, points: np.ndarray, visibility: np.ndarray, memory: Memory | None = None, elapsed: float = 0.0) -> Solution:
        """Find the pose of landmarks (33, 3), m; visibility (33,) in [0, 1]; memory: of the frame elapsed s ago.

        The face, or hands and feet, may be unknown: NaN, with visibility 0.
        """
        unknown = np.isnan(points[:, 0])
        turns = np.zeros((24, 3, 3)) + np.eye(3)
        pelvis, chest = torso_frames(points) @ self.torso.swapaxes(1, 2)
        turns[PELVIS] = pelvis
        turns[SPINE], whole = shared(pelvis.T @ chest, 3, SPINE_MOST)
        chest = pelvis @ whole
        if not unknown[FACE].any():
            turns[[NECK, HEAD]], _ = shared(chest.T @ head_rotation(self.face, points[FACE]), 2, HEAD_MOST)
        above = np.stack([chest, chest, pelvis, pelvis])
        hinges = self._hinges(points, above, memory, elapsed)
        turns[UPPER], turns[MIDDLE] = hinges.upper, hinges.lower
        ends = None
        if not (unknown[HANDS].any() or unknown[FEET].any()):
            below = above @ hinges.upper @ hinges.lower
            before = memory.ends if memory else None
            turns[MIDDLE], turns[END], ends = turn_ends(self.points, points, below, hinges.lower, before, elapsed)
        return Solution(turns, confidence(visibility, hinges.seen), Memory(hinges.held, ends))

    def _hinges(self, points: np.ndarray, above: np.ndarray, memory: Memory | None, elapsed: float) -> limbs.Hinges:
        upper = inside(above, points[HINGES] - points[ROOTS])
        lower = inside(above, points[TIPS] - points[HINGES])
        relaxed = np.einsum("nab,nb->na", swing(self.limbs.upper, upper), self.limbs.axis)
        foot = inside(above[2:], points[[31, 32]] - points[[29, 30]])
        by_foot = unit(cross(foot, unit(upper[2:])))
        relaxed[2:] = unit((1 - FOOT_SHARE) * relaxed[2:] + FOOT_SHARE * np.nan_to_num(by_foot))
        return limbs.bend(self.limbs, upper, lower, relaxed, memory.limbs if memory else None, elapsed)


def torso_frames(points: np.ndarray) -> np.ndarray:
    """Axes of pelvis and chest (2, 3, 3) from landmarks: both along the spine; hips and shoulders tell their turn."""
    left, right = points[[23, 11]], points[[24, 12]]
    spine = (points[11] + points[12] - points[23] - points[24]) / 2
    return frame(np.broadcast_to(spine, (2, 3)), left - right)


def head_rotation(rest: np.ndarray, face: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that best takes the rest face (11, 3), centred, to the one seen (Kabsch, 1976)."""
    u, _, vt = np.linalg.svd((face - face.mean(0)).T @ rest)
    u[:, 2] *= np.linalg.det(u @ vt)
    return u @ vt


def shared(rotation: np.ndarray, joints: int, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Share a rotation (3, 3) of at most `most` rad evenly among joints: the turn of each, and what they make together."""
    vector = rotation_vectors(rotation)
    angle = float(np.sqrt(vector @ vector))
    vector *= min(1.0, most / max(angle, 1e-9))
    part, whole = rotation_matrices(np.stack([vector / joints, vector]))
    return part, whole


def inside(axes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, 3) as seen from the axes (N, 3, 3)."""
    return np.einsum("nba,nb->na", axes, vectors)


def confidence(visibility: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(24,): the least visibility of the landmarks that a joint is found by, times how much of its turn they tell.

    That is 1 for pelvis and head, 0.5 for spine and neck (a sum is seen, its parts are shared out), 0.5 to 1 for limbs (1
    when the bend shows the axis, seen: (4,)), 0.7 for wrists and ankles, and 0 for collars, toes and hands.
    """
    torso, face = visibility[[11, 12, 23, 24]].min(), visibility[FACE].mean()
    roots, hinges, tips = visibility[ROOTS], visibility[HINGES], visibility[TIPS]
    found = np.zeros(24)
    found[PELVIS], found[SPINE], found[NECK], found[HEAD] = torso, 0.5 * torso, 0.5 * face, face
    found[UPPER] = np.minimum(np.minimum(roots, hinges), tips) * (0.5 + 0.5 * seen)
    found[MIDDLE] = np.minimum(hinges, tips) * (0.5 + 0.5 * seen)
    found[END] = 0.7 * np.minimum(tips, np.minimum(visibility[[17, 18, 29, 30]], visibility[[19, 20, 31, 32]]))
    return found
