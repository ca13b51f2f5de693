"""Inverse kinematics in closed form: 33 landmarks in 3D -> the 24 rotations of a SMPL body.

Unobservable rotations are not guessed: collars, toes and fingers keep their rest pose, and the spine's three joints share the
rotation between pelvis and chest; head, hands and feet keep theirs if their landmarks are unknown. Bones follow directions, not
positions, so that a body of other proportions takes the same pose.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body import limbs
from remi_stream.body.attachments import LANDMARK_JOINTS, LANDMARK_OFFSETS, body_landmarks
from remi_stream.body.extremities import ExtremityState, solve_extremities
from remi_stream.geometry import (
    axis_angle_from_matrices,
    cross_product,
    matrices_from_axis_angle,
    orthonormal_axes,
    shortest_rotation,
    unit_vectors,
)

PELVIS, HEAD, NECK, SPINE = 0, 15, 12, [3, 6, 9]
UPPER_JOINTS, MIDDLE_JOINTS, END_JOINTS = [16, 17, 1, 2], [18, 19, 4, 5], [20, 21, 7, 8]
ROOTS, HINGES, TIPS = [11, 12, 23, 24], [13, 14, 25, 26], [15, 16, 27, 28]
"""Landmarks of the limbs: left arm, right arm, left leg, right leg."""
FACE, HANDS, FEET = slice(0, 11), slice(17, 23), slice(29, 33)
MAX_SPINE_ANGLE, MAX_HEAD_ANGLE = np.radians(80), np.radians(90)
"""Limits of the rotation of the chest relative to the pelvis, and of the head relative to the chest."""
FOOT_WEIGHT = 0.5
"""Weight of the foot against the pelvis for the twist of a straight leg."""


class IkState(NamedTuple):
    """State between frames."""

    limbs: limbs.Held
    """Hinge axes of arms and legs."""
    extremities: ExtremityState | None
    """Hands and feet; None if their landmarks were unknown."""


class IkSolution(NamedTuple):
    """The pose of one frame."""

    rotations: np.ndarray
    """(24, 3, 3), each relative to its parent, the first in the landmarks' frame."""
    joint_confidence: np.ndarray
    """(24,) in [0, 1]."""
    ik_state: IkState
    """State for the next frame."""


class IkSolver:
    """The inverse-kinematics solver of one body: its rest pose, immutable."""

    def __init__(self, rest_joints: np.ndarray) -> None:
        rest = body_landmarks(np.broadcast_to(np.eye(3), (24, 3, 3)), rest_joints)
        self.torso = torso_frames(rest)
        self.limbs = limbs.limb_rest(rest[HINGES] - rest[ROOTS], rest[TIPS] - rest[HINGES])
        self.rest_face = LANDMARK_OFFSETS[LANDMARK_JOINTS == HEAD] - LANDMARK_OFFSETS[LANDMARK_JOINTS == HEAD].mean(0)
        self.rest_landmarks = rest

    def solve(
        self, points: np.ndarray, visibility: np.ndarray, ik_state: IkState | None = None, elapsed: float = 0.0
    ) -> IkSolution:
        """Solve the pose of landmarks (33, 3), m; visibility (33,) in [0, 1]; ik_state: state of the frame elapsed s ago.

        The face, or hands and feet, may be unknown: NaN, with visibility 0.
        """
        unknown = np.isnan(points[:, 0])
        rotations = np.zeros((24, 3, 3)) + np.eye(3)
        pelvis, chest = torso_frames(points) @ self.torso.swapaxes(1, 2)
        rotations[PELVIS] = pelvis
        rotations[SPINE], whole = split_rotation(pelvis.T @ chest, 3, MAX_SPINE_ANGLE)
        chest = pelvis @ whole  # after the limit, so that the limbs are relative to the chest that is published
        if not unknown[FACE].any():
            rotations[[NECK, HEAD]], _ = split_rotation(chest.T @ head_rotation(self.rest_face, points[FACE]), 2, MAX_HEAD_ANGLE)
        above = np.stack([chest, chest, pelvis, pelvis])
        hinges = self._hinges(points, above, ik_state, elapsed)
        rotations[UPPER_JOINTS], rotations[MIDDLE_JOINTS] = hinges.upper, hinges.lower
        ends = None
        if not (unknown[HANDS].any() or unknown[FEET].any()):
            below = above @ hinges.upper @ hinges.lower
            before = ik_state.extremities if ik_state else None
            rotations[MIDDLE_JOINTS], rotations[END_JOINTS], ends = solve_extremities(
                self.rest_landmarks, points, below, hinges.lower, before, elapsed
            )
        return IkSolution(rotations, joint_confidence(visibility, hinges.axis_weights), IkState(hinges.hinge_state, ends))

    def _hinges(self, points: np.ndarray, above: np.ndarray, memory: IkState | None, elapsed: float) -> limbs.Hinges:
        upper = to_local(above, points[HINGES] - points[ROOTS])
        lower = to_local(above, points[TIPS] - points[HINGES])
        relaxed = np.einsum("nab,nb->na", shortest_rotation(self.limbs.upper, upper), self.limbs.axis)
        foot = to_local(above[2:], points[[31, 32]] - points[[29, 30]])
        by_foot = unit_vectors(cross_product(foot, unit_vectors(upper[2:])))
        relaxed[2:] = unit_vectors((1 - FOOT_WEIGHT) * relaxed[2:] + FOOT_WEIGHT * np.nan_to_num(by_foot))
        return limbs.solve_limbs(self.limbs, upper, lower, relaxed, memory.limbs if memory else None, elapsed)


def torso_frames(points: np.ndarray) -> np.ndarray:
    """Return the axes of pelvis and chest (2, 3, 3) from landmarks: first axis along the spine, second by hips and shoulders."""
    left, right = points[[23, 11]], points[[24, 12]]
    spine = (points[11] + points[12] - points[23] - points[24]) / 2
    return orthonormal_axes(np.broadcast_to(spine, (2, 3)), left - right)


def head_rotation(rest: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that fits the rest face (11, 3), centred, to the observed one best (Kabsch, 1976)."""
    u, _, vt = np.linalg.svd((face - face.mean(0)).T @ rest)
    # a rotation, not a reflection
    u[:, 2] *= np.linalg.det(u @ vt)
    return u @ vt


def split_rotation(rotation: np.ndarray, count: int, max_angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Split a rotation (3, 3), limited to `max_angle` rad, evenly among count: the rotation of each, and their product."""
    vector = axis_angle_from_matrices(rotation)
    angle = float(np.sqrt(vector @ vector))
    vector *= min(1.0, max_angle / max(angle, 1e-9))
    part, whole = matrices_from_axis_angle(np.stack([vector / count, vector]))
    return part, whole


def to_local(axes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Express vectors (N, 3) in the axes (N, 3, 3)."""
    return np.einsum("nba,nb->na", axes, vectors)


def joint_confidence(visibility: np.ndarray, axis_weights: np.ndarray) -> np.ndarray:
    """Return the joint confidence (24,): least visibility of a joint's landmarks, times the observable share of its rotation.

    The share is 1 for pelvis and head, 0.5 for spine and neck (only the sum is observed), 0.5 to 1 for limbs (1 if the bend
    shows the hinge axis, axis_weights: (4,)), 0.7 for wrists and ankles, and 0 for collars, toes and hands.
    """
    torso, face = visibility[[11, 12, 23, 24]].min(), visibility[FACE].mean()
    roots, hinges, tips = visibility[ROOTS], visibility[HINGES], visibility[TIPS]
    found = np.zeros(24)
    found[PELVIS], found[SPINE], found[NECK], found[HEAD] = torso, 0.5 * torso, 0.5 * face, face
    found[UPPER_JOINTS] = np.minimum(np.minimum(roots, hinges), tips) * (0.5 + 0.5 * axis_weights)
    found[MIDDLE_JOINTS] = np.minimum(hinges, tips) * (0.5 + 0.5 * axis_weights)
    found[END_JOINTS] = 0.7 * np.minimum(tips, np.minimum(visibility[[17, 18, 29, 30]], visibility[[19, 20, 31, 32]]))
    return found
