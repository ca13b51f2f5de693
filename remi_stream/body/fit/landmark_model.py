"""Landmarks of a body of any shape and pose, and their derivatives by rotations, betas and translation: the kinematic chain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.ik.solver import LANDMARK_JOINTS
from remi_stream.body.smpl import Body
from remi_stream.geometry import skew_symmetric
from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

FREE_JOINTS = np.array([joint for joint in range(24) if joint not in (10, 11, 22, 23)])
"""(20,) int, the joints that are fitted: all but toes and fingers, which no landmark shows."""
ROTATION_COUNT = 3 * len(FREE_JOINTS)
BETA_COUNT = 10
POSE_COUNT = ROTATION_COUNT + 3
UNKNOWN_COUNT = POSE_COUNT + BETA_COUNT
"""Unknowns, in this order: rotation vectors of the free joints (60), transl (3), betas (10)."""
OFFSETS_M: dict[str, tuple[float, float, float]] = {
    "nose": (0.000, 0.016, 0.095),
    "left_eye_inner": (0.013, 0.047, 0.076),
    "left_eye": (0.023, 0.047, 0.072),
    "left_eye_outer": (0.033, 0.047, 0.067),
    "left_ear": (0.046, 0.031, 0.029),
    "mouth_left": (0.016, -0.018, 0.082),
    "left_shoulder": (-0.013, 0.003, 0.007),
    "left_elbow": (-0.008, -0.002, 0.023),
    "left_wrist": (0.005, -0.003, 0.005),
    "left_pinky": (0.076, -0.010, -0.008),
    "left_index": (0.082, -0.014, 0.010),
    "left_thumb": (0.059, -0.015, 0.016),
    "left_hip": (0.0, -0.020, 0.028),
    "left_knee": (-0.004, -0.008, -0.007),
    "left_ankle": (0.000, 0.036, 0.009),
    "left_heel": (-0.006, -0.029, -0.032),
    "left_foot_index": (-0.004, -0.041, 0.172),
}
"""Offsets, m, of the left landmarks and the nose from their joint in the rest pose of the mean shape. Measured: least squares of
the network's pixels against true poses and shapes, 1,440 pictures of rendered people. The closed form keeps its own."""
NEAREST_VERTICES = 24
"""Vertices around a landmark whose mean change with the betas the landmark takes."""
_ROTATIONS, _TRANSL = slice(0, ROTATION_COUNT), slice(ROTATION_COUNT, POSE_COUNT)
_BETAS = slice(POSE_COUNT, UNKNOWN_COUNT)


def _offsets() -> np.ndarray:
    """(33, 3) m: the offsets of all landmarks, those of the right side mirrored."""
    found = np.empty((len(LANDMARK_JOINTS), 3))
    for landmark, name in enumerate(JOINT_NAMES["blazepose33"]):
        found[landmark] = OFFSETS_M[name.replace("right", "left")]
        if "right" in name:
            found[landmark, 0] *= -1
    return found


LANDMARK_OFFSETS = _offsets()


def _ancestors() -> np.ndarray:
    """(24, 24) float: 1 where the second joint is the first one or above it."""
    found = np.eye(24)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        found[joint] += found[parent]
    return found


ANCESTORS = _ancestors()
_PARENTS = np.array(SMPL_PARENTS)
_MOVED_BY = ANCESTORS[LANDMARK_JOINTS][:, FREE_JOINTS]
"""(33, 20) float: 1 where a free joint moves a landmark."""


def _levels() -> list[np.ndarray]:
    """Joints by their depth in the tree, without the root: each level is one product of stacked matrices."""
    depths = ANCESTORS.sum(1).astype(int) - 1
    return [np.flatnonzero(depths == level) for level in range(1, depths.max() + 1)]


_LEVELS = _levels()


class PosedLandmarks(NamedTuple):
    """Landmarks of one pose, and their derivatives."""

    points: np.ndarray
    """(33, 3) m, transl's frame."""
    slopes: np.ndarray
    """(33, 3, 73) m per unknown; a rotation's unknown is a rotation vector in the joint's own axes, applied before it."""


class LandmarkModel:
    """The landmarks of one body model, as functions of pose and shape. Immutable."""

    def __init__(self, body: Body) -> None:
        self._joints_mean = body.rest_joints(np.zeros(BETA_COUNT))
        by_beta = [body.rest_joints(row) - self._joints_mean for row in np.eye(BETA_COUNT)]
        self._joints_by_beta = np.stack(by_beta, -1)
        self._bones_mean, self._bones_by_beta = (self._bones(rest) for rest in (self._joints_mean, self._joints_by_beta))
        self._offsets_by_beta = self._attachment_slopes(body)

    @staticmethod
    def _bones(rest: np.ndarray) -> np.ndarray:
        """Joints (24, 3, ...) relative to their parents; the root's stays."""
        bones = rest.copy()
        bones[1:] -= rest[_PARENTS[1:]]
        return bones

    def _attachment_slopes(self, body: Body) -> np.ndarray:
        """Derivatives (33, 3, 10) of the landmarks' offsets: the change of the nearest vertices less that of the joint."""
        found = np.empty((len(LANDMARK_JOINTS), 3, BETA_COUNT))
        for landmark, joint in enumerate(LANDMARK_JOINTS):
            at = self._joints_mean[joint] + LANDMARK_OFFSETS[landmark]
            distances = np.linalg.norm(body.v_template - at, axis=1)
            nearest = np.argpartition(distances, NEAREST_VERTICES)[:NEAREST_VERTICES]
            found[landmark] = body.shapedirs[nearest].mean(0) - self._joints_by_beta[joint]
        return found

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """Return the joints (24, 3), m, of the rest pose for betas (10,)."""
        found: np.ndarray = self._joints_mean + self._joints_by_beta @ betas
        return found

    def pose(self, rotations: np.ndarray, betas: np.ndarray, transl: np.ndarray) -> PosedLandmarks:
        """Pose the landmarks: rotations (24, 3, 3) relative to the parents, betas (10,), transl (3,) m."""
        world = world_rotations(rotations)
        above = np.concatenate([np.eye(3)[None], world[_PARENTS[1:]]])
        bones = self._bones_mean + self._bones_by_beta @ betas
        joints = ANCESTORS @ np.einsum("jab,jb->ja", above, bones) + transl
        joints_by_beta = (ANCESTORS @ (above @ self._bones_by_beta).reshape(24, -1)).reshape(24, 3, BETA_COUNT)
        attached = world[LANDMARK_JOINTS]
        offsets = LANDMARK_OFFSETS + self._offsets_by_beta @ betas
        points = joints[LANDMARK_JOINTS] + np.einsum("lab,lb->la", attached, offsets)
        slopes = np.empty((len(points), 3, UNKNOWN_COUNT))
        arms = (joints[FREE_JOINTS] - points[:, None]) * _MOVED_BY[:, :, None]
        slopes[:, :, _ROTATIONS] = (skew_symmetric(arms) @ world[FREE_JOINTS]).swapaxes(1, 2).reshape(len(points), 3, -1)
        slopes[:, :, _TRANSL] = np.eye(3)
        slopes[:, :, _BETAS] = joints_by_beta[LANDMARK_JOINTS] + attached @ self._offsets_by_beta
        return PosedLandmarks(points, slopes)

    def points(self, rotations: np.ndarray, betas: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """Return the landmarks (33, 3), m, alone; arguments as of `pose`."""
        world = world_rotations(rotations)
        above = np.concatenate([np.eye(3)[None], world[_PARENTS[1:]]])
        joints = ANCESTORS @ np.einsum("jab,jb->ja", above, self._bones_mean + self._bones_by_beta @ betas) + transl
        offsets = LANDMARK_OFFSETS + self._offsets_by_beta @ betas
        found: np.ndarray = joints[LANDMARK_JOINTS] + np.einsum("lab,lb->la", world[LANDMARK_JOINTS], offsets)
        return found


def world_rotations(rotations: np.ndarray) -> np.ndarray:
    """Return world rotations (24, 3, 3) of rotations (24, 3, 3) relative to the parents."""
    world = rotations.copy()
    for level in _LEVELS:
        world[level] = world[_PARENTS[level]] @ rotations[level]
    return world
