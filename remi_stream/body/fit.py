"""Fit a mean-shaped SMPL body to one frame's BlazePose landmarks: lifting, inverse kinematics, translation."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from remi_stream.body.attachments import landmarks
from remi_stream.body.ik import Memory, Skeleton, Solution
from remi_stream.body.lifting import LIMBS, bone_lengths, lift
from remi_stream.body.smpl import Body, forward_kinematics
from remi_stream.geometry import Intrinsics, rotation_vectors
from remi_stream.messages import Smpl

MEAN_SHAPE = np.zeros(10, np.float32)
"""Betas of the mean shape."""


class Fit(NamedTuple):
    """A body fitted to the landmarks of one frame."""

    landmarks_m: np.ndarray
    """(33, 3) float64, m, camera frame, of a person as tall as the body."""
    smpl: Smpl
    memory: Memory
    """State for the next frame."""


class Fitter:
    """Fits one body, at its mean shape, to BlazePose's landmarks."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self.lengths = bone_lengths(self._rest_joints)
        self._skeleton = Skeleton(self._rest_joints)

    def fit(
        self,
        world: np.ndarray,
        pixels: np.ndarray,
        visibility: np.ndarray,
        intrinsics: Intrinsics,
        memory: Memory | None = None,
        elapsed: float = 0.0,
    ) -> Fit:
        """Fit the body to landmarks: world (33, 3) m and pixels (33, 2) as for `lift`, visibility (33,) in [0, 1].

        memory: state of the same person's last frame, elapsed seconds ago.
        """
        weights = visibility**2
        points = lift(world, pixels, weights, intrinsics, self.lengths)
        pose = self._skeleton.solve(points, visibility, memory, elapsed)
        transl = transl_of(self._rest_joints, pose.rotations, points, weights)
        return Fit(points, smpl_of(self._name, pose, transl), pose.memory)


def transl_of(rest_joints: np.ndarray, rotations: np.ndarray, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return SMPL's transl (3,), m: the mean offset of the limbs' landmarks (33, 3) from the posed body's; weights: (33,)."""
    posed = landmarks(*forward_kinematics(rest_joints, rotations, np.zeros(3)))
    return np.average((points - posed)[LIMBS], axis=0, weights=np.maximum(weights[LIMBS], 1e-3))


def smpl_of(body: Literal["smpl", "open"], pose: Solution, transl: np.ndarray) -> Smpl:
    """Make the SMPL message of a pose of the mean-shaped body."""
    return Smpl(
        body=body,
        global_orient=rotation_vectors(pose.rotations[0]).astype(np.float32),
        body_pose=rotation_vectors(pose.rotations[1:]).astype(np.float32).ravel(),
        betas=MEAN_SHAPE,
        transl=transl.astype(np.float32),
        joint_confidence=pose.joint_confidence.astype(np.float32),
    )
