"""Fit a mean-shaped SMPL body to one frame's BlazePose landmarks: lifting, inverse kinematics, translation."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from remi_stream.body.attachments import body_landmarks
from remi_stream.body.ik import IkSolution, IkSolver, IkState
from remi_stream.body.lifting import LIMB_LANDMARKS, bone_lengths, lift_landmarks
from remi_stream.body.smpl import Body, forward_kinematics
from remi_stream.geometry import Intrinsics, axis_angle_from_matrices
from remi_stream.messages import Smpl

MEAN_SHAPE = np.zeros(10, np.float32)
"""Betas of the mean shape."""


class LandmarkFit(NamedTuple):
    """A body fitted to the landmarks of one frame."""

    landmarks_m: np.ndarray
    """(33, 3) float64, m, camera frame, of a person as tall as the body."""
    smpl: Smpl
    ik_state: IkState
    """State for the next frame."""


class LandmarkFitter:
    """Fits one body, at its mean shape, to BlazePose's landmarks."""

    def __init__(self, body: Body) -> None:
        self._name: Literal["smpl", "open"] = "open" if body.name == "open" else "smpl"
        self._rest_joints = body.rest_joints(MEAN_SHAPE)
        self.bone_lengths_m = bone_lengths(self._rest_joints)
        self._skeleton = IkSolver(self._rest_joints)

    def fit(
        self,
        world: np.ndarray,
        pixels: np.ndarray,
        visibility: np.ndarray,
        intrinsics: Intrinsics,
        ik_state: IkState | None = None,
        elapsed: float = 0.0,
    ) -> LandmarkFit:
        """Fit the body to landmarks: world (33, 3) m and pixels (33, 2) as for `lift`, visibility (33,) in [0, 1].

        ik_state: state of the same person's last frame, elapsed seconds ago.
        """
        weights = visibility**2
        points = lift_landmarks(world, pixels, weights, intrinsics, self.bone_lengths_m)
        pose = self._skeleton.solve(points, visibility, ik_state, elapsed)
        transl = fit_transl(self._rest_joints, pose.rotations, points, weights)
        return LandmarkFit(points, make_smpl(self._name, pose, transl), pose.ik_state)


def fit_transl(rest_joints: np.ndarray, rotations: np.ndarray, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return SMPL's transl (3,), m: the mean offset of the limbs' landmarks (33, 3) from the posed body's; weights: (33,)."""
    posed = body_landmarks(*forward_kinematics(rest_joints, rotations, np.zeros(3)))
    return np.average((points - posed)[LIMB_LANDMARKS], axis=0, weights=np.maximum(weights[LIMB_LANDMARKS], 1e-3))


def make_smpl(body: Literal["smpl", "open"], pose: IkSolution, transl: np.ndarray) -> Smpl:
    """Make the SMPL message of a pose of the mean-shaped body."""
    return Smpl(
        body=body,
        global_orient=axis_angle_from_matrices(pose.rotations[0]).astype(np.float32),
        body_pose=axis_angle_from_matrices(pose.rotations[1:]).astype(np.float32).ravel(),
        betas=MEAN_SHAPE,
        transl=transl.astype(np.float32),
        joint_confidence=pose.joint_confidence.astype(np.float32),
    )
