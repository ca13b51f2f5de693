"""Scores of lifted rotations against the truth: position, rotation, smoothness."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from train_lifter.rotations import J, pose_sequence

Array = NDArray[Any]

GROUPS = {
    "orient": ["pelvis"],
    "hips": ["left_hip", "right_hip"],
    "knees": ["left_knee", "right_knee"],
    "shoulders": ["left_shoulder", "right_shoulder"],
    "elbows": ["left_elbow", "right_elbow"],
}


class Scores(NamedTuple):
    """Means over all frames; positions of the mean-shaped body in mm, from the middle of the hips."""

    pa_mpjpe: float
    """After the best similarity transform of each frame."""
    mpjpe: float
    degrees: dict[str, float]
    """Median rotation error of each group of joints."""
    acceleration: float
    """Mean error of the joints' acceleration, mm / frame^2."""
    jump: float
    """99.9th percentile of a joint's turn between two frames beyond the truth's, degrees."""

    def line(self) -> str:
        """Return the scores in one line."""
        degrees = " ".join(f"{name} {value:.1f}" for name, value in self.degrees.items())
        return (
            f"PA {self.pa_mpjpe:.1f} MPJPE {self.mpjpe:.1f} mm | {degrees} deg | "
            f"accel {self.acceleration:.1f} mm/frame^2 | jump {self.jump:.0f} deg"
        )


def score(rotations: Array, truth: Array, lengths: Array, rest_joints: Array, true_joints: Array | None = None) -> Scores:
    """Score local rotations (N, 24, 3, 3) of chunks of `lengths` frames; true_joints: (N, 24, 3), m, of the real body's size."""
    found = from_hips(pose_sequence(rotations.astype(float), rest_joints)[1])
    right = from_hips(pose_sequence(truth.astype(float), rest_joints)[1] if true_joints is None else true_joints.astype(float))
    angles = np.degrees(angles_between(rotations, truth))
    ends = np.cumsum(lengths)
    errors, turns = [], []
    for start, end in zip(ends - lengths, ends):
        errors.append(np.linalg.norm(np.diff(found[start:end] - right[start:end], 2, axis=0), axis=-1).ravel())
        turn = angles_between(rotations[start : end - 1], rotations[start + 1 : end])
        turns.append((turn - angles_between(truth[start : end - 1], truth[start + 1 : end]))[:, :22].ravel())
    return Scores(
        pa_mpjpe=float(np.linalg.norm(align(found, right) - right, axis=-1).mean() * 1e3),
        mpjpe=float(np.linalg.norm(found - right, axis=-1).mean() * 1e3),
        degrees={name: float(np.median(angles[:, [J[joint] for joint in joints]])) for name, joints in GROUPS.items()},
        acceleration=float(np.concatenate(errors).mean() * 1e3),
        jump=float(np.degrees(np.percentile(np.concatenate(turns), 99.9))),
    )


def from_hips(joints: Array) -> Array:
    """Move joints (N, 24, 3) so that the middle of the hips is the origin."""
    return joints - joints[:, [J["left_hip"], J["right_hip"]]].mean(1, keepdims=True)


def angles_between(a: Array, b: Array) -> Array:
    """Return the angles (...,), rad, between rotations (..., 3, 3)."""
    distance = np.linalg.norm(a.astype(float) - b, axis=(-2, -1))
    angles: Array = 2 * np.arcsin(np.clip(distance / np.sqrt(8), 0, 1))
    return angles


def align(points: Array, target: Array) -> Array:
    """Align points (N, K, 3) to targets by a similarity transform each (Umeyama, 1991)."""
    middle, goal = points.mean(1, keepdims=True), target.mean(1, keepdims=True)
    a, b = points - middle, target - goal
    u, s, vt = np.linalg.svd(b.swapaxes(1, 2) @ a)
    sign = np.ones((len(points), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / np.maximum((a**2).sum((1, 2)), 1e-12)
    aligned: Array = scale[:, None, None] * (a @ rotation.swapaxes(1, 2)) + goal
    return aligned
