"""Fit of a whole window of frames, until it converges: each frame between its neighbours, again and again (Gauss-Seidel).

The same Gauss-Newton steps as live; in place of the predicted pose stands the one half way between the last and the next frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remi_stream.body.fit.gauss_newton import FitPose, Observation, RotationPrior, TranslPrior, fit_pose
from remi_stream.body.fit.landmark_model import LandmarkModel
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle

MAX_SWEEPS = 4
CONVERGED_RAD = np.radians(0.3)
"""Mean change of the rotations in a sweep below which the window has converged."""
BEND_SPREAD_RATE, MOVE_BEND_SPREAD_RATE = 1.0, 0.15
"""Standard deviations of a rotation, rad/s, and of the translation, m/s, about those half way between the neighbours'."""
GIVEN_SPREAD_RAD = np.radians(12)
"""Standard deviation of the given poses' rotations."""


def fit_window(model: LandmarkModel, seen: Sequence[Observation], given: Sequence[FitPose], times_s: np.ndarray) -> list[FitPose]:
    """Fit consecutive frames of one person; given: their poses, from the live fit. times_s: (F,), increasing."""
    poses = list(given)
    if len(poses) < 3:
        return poses
    given_spread = np.full(24, GIVEN_SPREAD_RAD)
    for _ in range(MAX_SWEEPS):
        before = np.array([pose.rotations for pose in poses])
        # every other frame first: a sweep from one end would carry errors along
        for frame in [*range(1, len(poses) - 1, 2), *range(2, len(poses) - 1, 2), 0, len(poses) - 1]:
            between = halfway(poses, times_s, frame)
            step_s = float(np.diff(times_s[max(frame - 1, 0) : frame + 2]).mean())
            priors = [
                RotationPrior(given[frame].rotations, given_spread),
                RotationPrior(between.rotations, np.full(24, BEND_SPREAD_RATE * step_s)),
            ]
            place = TranslPrior(between.transl, np.eye(3) / (MOVE_BEND_SPREAD_RATE * step_s) ** 2)
            poses[frame] = fit_pose(model, seen[frame], between, priors, place, 1).pose
        turns = before.swapaxes(-1, -2) @ np.array([pose.rotations for pose in poses])
        if np.linalg.norm(axis_angle_from_matrices(turns), axis=-1).mean() < CONVERGED_RAD:
            break
    return poses


def halfway(poses: Sequence[FitPose], times_s: np.ndarray, frame: int) -> FitPose:
    """Return the pose that a frame would have between its neighbours at constant velocity; at an end, the neighbour's."""
    if frame in (0, len(poses) - 1):
        return poses[frame]._replace(rotations=poses[1 if frame == 0 else frame - 1].rotations)
    last, following = poses[frame - 1], poses[frame + 1]
    share = (times_s[frame] - times_s[frame - 1]) / (times_s[frame + 1] - times_s[frame - 1])
    turns = axis_angle_from_matrices(last.rotations.swapaxes(1, 2) @ following.rotations)
    rotations = last.rotations @ matrices_from_axis_angle(share * turns)
    return FitPose(rotations, last.transl + share * (following.transl - last.transl), poses[frame].betas)
