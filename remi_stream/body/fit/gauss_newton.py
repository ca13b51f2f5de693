"""Gauss-Newton fit of rotations and translation to pixels, depths and priors: one frame of one person.

Levenberg (1944) and Marquardt (1963) for the damping; Geman and McClure (1987) for the robust weights. Rotations are updated by
a rotation vector in the joint's own axes (Lie group SO(3)), so that a prior's Jacobian is the identity near the prior.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.fit.landmark_model import FREE_JOINTS, POSE_COUNT, ROTATION_COUNT, UNKNOWN_COUNT, LandmarkModel
from remi_stream.body.fit.priors import LIKELY_ROTATIONS, LIKELY_SPREADS, LIMIT_SPREAD_RAD, LOWER_LIMITS, UPPER_LIMITS
from remi_stream.body.fit.shape import ShapeEvidence
from remi_stream.body.ik.solver import TORSO
from remi_stream.geometry import Intrinsics, axis_angle_from_matrices, matrices_from_axis_angle

PIXEL_SPREADS_M = np.repeat([0.013, 0.021, 0.016, 0.013, 0.022, 0.018, 0.016, 0.015, 0.022], [11, 2, 2, 2, 6, 2, 2, 2, 4])
"""(33,) m: standard deviations of visible landmarks in the image at the person's distance, of face, shoulders, elbows, wrists,
hands, hips, knees, ankles, feet. 0.014 to 0.025 measured, of which a part stays the same from frame to frame."""
DEPTH_SPREADS_M = np.repeat([0.2, 0.16, 0.2, 0.24, 0.13, 0.2, 0.24], [11, 2, 2, 8, 2, 4, 4])
"""(33,) m: standard deviations of the lifted landmarks' depths from the torso's: face, shoulders, elbows, wrists and hands, hips,
knees and ankles, feet."""
ROBUST_SPREADS = 6.0
"""Pixel residuals, in standard deviations, at which the robust weight has fallen to a quarter."""
MIN_WEIGHT = 1e-3
"""Least weight of a landmark that is not visible at all."""
MIN_DEPTH_M = 0.1
MAX_STEP_RAD = 0.6
"""Largest turn of a joint in one step."""
_TRANSL = slice(ROTATION_COUNT, ROTATION_COUNT + 3)
DAMPING = 1e-6
"""Share of the diagonal added to it: keeps the normal matrix regular."""


class Observation(NamedTuple):
    """What one frame says of a person."""

    pixels: np.ndarray
    """(33, 2) px, full image."""
    depths_m: np.ndarray
    """(33,) m: depths of the lifted landmarks; only their ratios to the torso's count."""
    weights: np.ndarray
    """(33,) in [0, 1]: visibility squared."""
    intrinsics: Intrinsics


class RotationPrior(NamedTuple):
    """A normal distribution of rotations."""

    rotations: np.ndarray
    """(24, 3, 3), relative to the parents."""
    spreads_rad: np.ndarray
    """(24,) or (24, 3) rad: standard deviations."""


class TranslPrior(NamedTuple):
    """A normal distribution of the translation."""

    mean: np.ndarray
    """(3,) m."""
    information: np.ndarray
    """(3, 3), 1/m^2: inverse covariance."""


class FitPose(NamedTuple):
    """Unknowns of a fit."""

    rotations: np.ndarray
    """(24, 3, 3), relative to the parents."""
    transl: np.ndarray
    """(3,) m."""
    betas: np.ndarray
    """(10,)."""


class FitStep(NamedTuple):
    """A fitted pose, and what its frame says of the betas."""

    pose: FitPose
    shape: ShapeEvidence


def fit_pose(
    model: LandmarkModel, seen: Observation, start: FitPose, priors: list[RotationPrior], place: TranslPrior | None, steps: int
) -> FitStep:
    """Fit rotations and translation by Gauss-Newton steps from start; the betas stay."""
    pose = start
    for _ in range(steps):
        rows, residuals = landmark_rows(model, seen, pose)
        data, slope = rows.T @ rows, rows.T @ residuals
        normal, pull = data[:POSE_COUNT, :POSE_COUNT], slope[:POSE_COUNT].copy()
        add_priors(normal, pull, pose, priors, place)
        # one factorisation for the step and for the betas' marginal (Schur complement)
        solved = np.linalg.solve(normal, np.concatenate([pull[:, None], data[:POSE_COUNT, POSE_COUNT:]], 1))
        across = data[POSE_COUNT:, :POSE_COUNT]
        evidence = ShapeEvidence(
            data[POSE_COUNT:, POSE_COUNT:] - across @ solved[:, 1:], slope[POSE_COUNT:] - across @ solved[:, 0]
        )
        pose = moved(pose, -solved[:, 0])
    return FitStep(pose, evidence)


def add_priors(
    normal: np.ndarray, pull: np.ndarray, pose: FitPose, priors: list[RotationPrior], place: TranslPrior | None
) -> None:
    """Add the priors' information to normal (63, 63), and their gradient to pull (63,), in place."""
    diagonal, gradient = rotation_terms(pose.rotations, priors)
    normal[np.arange(ROTATION_COUNT), np.arange(ROTATION_COUNT)] += diagonal
    pull[:ROTATION_COUNT] += gradient
    if place is not None:
        normal[_TRANSL, _TRANSL] += place.information
        pull[_TRANSL] += place.information @ (pose.transl - place.mean)
    normal[np.arange(POSE_COUNT), np.arange(POSE_COUNT)] *= 1 + DAMPING


def landmark_rows(model: LandmarkModel, seen: Observation, pose: FitPose) -> tuple[np.ndarray, np.ndarray]:
    """Return the whitened Jacobian (99, 73) and residuals (99,) of pixels and depths."""
    posed = model.pose(pose.rotations, pose.betas, pose.transl)
    x, y, raw = posed.points.T
    z = np.maximum(raw, MIN_DEPTH_M)
    fx, fy, cx, cy = seen.intrinsics
    distance = z[TORSO].mean()
    # in metres at the person's distance, so that near and far people are fitted alike
    u, v = x / z, y / z
    across = np.stack([u - (seen.pixels[:, 0] - cx) / fx, v - (seen.pixels[:, 1] - cy) / fy], 1) * distance
    slopes = posed.slopes
    ray = np.stack([u, v], 1)
    across_slopes = (slopes[:, :2] - ray[:, :, None] * slopes[:, 2:]) * (distance / z)[:, None, None]
    scale = np.sqrt(np.maximum(seen.weights, MIN_WEIGHT)) / PIXEL_SPREADS_M
    errors = (across**2).sum(1) / PIXEL_SPREADS_M**2
    scale = scale / (1 + errors / ROBUST_SPREADS**2)
    ratios = seen.depths_m / seen.depths_m[TORSO].mean()
    deep = raw - ratios * distance
    deep_slopes = slopes[:, 2] - ratios[:, None] * slopes[TORSO, 2].mean(0)
    deep_scale = np.sqrt(np.maximum(seen.weights, MIN_WEIGHT)) / DEPTH_SPREADS_M
    deep_scale = deep_scale / (1 + (deep / DEPTH_SPREADS_M / ROBUST_SPREADS) ** 2)
    rows = np.concatenate([(across_slopes * scale[:, None, None]).reshape(-1, UNKNOWN_COUNT), deep_slopes * deep_scale[:, None]])
    return rows, np.concatenate([(across * scale[:, None]).ravel(), deep * deep_scale])


def rotation_terms(rotations: np.ndarray, priors: list[RotationPrior]) -> tuple[np.ndarray, np.ndarray]:
    """Return the diagonal (60,) and the gradient (60,) of the rotations' priors, of likely poses and of the joints' limits."""
    targets = np.stack([prior.rotations[FREE_JOINTS] for prior in priors] + [LIKELY_ROTATIONS])
    spreads = [np.broadcast_to(prior.spreads_rad.reshape(24, -1)[FREE_JOINTS], (len(FREE_JOINTS), 3)) for prior in priors]
    information = 1 / np.stack([*spreads, LIKELY_SPREADS]) ** 2
    free = rotations[FREE_JOINTS]
    vectors = axis_angle_from_matrices(np.concatenate([targets.swapaxes(-1, -2) @ free, free[None]]))
    diagonal, pull = information.sum(0), (information * vectors[:-1]).sum(0)
    over = vectors[-1] - np.clip(vectors[-1], LOWER_LIMITS, UPPER_LIMITS)
    diagonal = diagonal + (over != 0) / LIMIT_SPREAD_RAD**2
    pull = pull + over / LIMIT_SPREAD_RAD**2
    return diagonal.ravel(), pull.ravel()


def moved(pose: FitPose, step: np.ndarray) -> FitPose:
    """Apply a step (63,) of rotations and translation."""
    turns = step[:ROTATION_COUNT].reshape(-1, 3)
    angles = np.sqrt((turns**2).sum(1, keepdims=True))
    turns = turns * np.minimum(1, MAX_STEP_RAD / np.maximum(angles, 1e-9))
    rotations = pose.rotations.copy()
    rotations[FREE_JOINTS] = rotations[FREE_JOINTS] @ matrices_from_axis_angle(turns)
    return FitPose(rotations, pose.transl + step[_TRANSL], pose.betas)
