"""Features of the learned lifter: one frame of the landmark network and of the closed-form fit, in the network's own axes.

The axes are those of a camera that looks at the person's middle and is rolled like the crop: in them the landmark network says
its world landmarks. Nothing says how the camera is rolled: a person who lies looks like one who stands, and rolled cameras need
no training data. Rotations are corrected in these axes, then turned back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.fit.fitter import ClosedForm
from remi_stream.body.ik.solver import TORSO, TWINS
from remi_stream.geometry import Intrinsics, shortest_rotation, unproject
from remi_stream.pose.landmarks import Landmarks, Roi

FORWARD = np.array([0.0, 0.0, 1.0])
HIPS = [23, 24]
LANDMARKS, JOINTS = 33, 24
MAX_ELAPSED_S = 0.3
"""A longer time since the last frame counts as this."""
PARTS = {"world": 99, "lifted": 99, "pixels": 66, "visibility": 33, "presence": 33, "peaks": 33, "rotations": 144, "view": 5}
"""Number of features of each part, in this order."""
FEATURE_COUNT = sum(PARTS.values())
ROTATIONS_START = FEATURE_COUNT - PARTS["rotations"] - PARTS["view"]
"""Index of the first feature of the rotations, in 6D."""


class LifterInput(NamedTuple):
    """What is known of a person in one frame, before the lifter."""

    world: np.ndarray
    """(33, 3) m, as in `Landmarks`."""
    pixels: np.ndarray
    """(33, 2) px."""
    visibility: np.ndarray
    """(33,) in [0, 1]."""
    presence: np.ndarray
    """(33,) in [0, 1]."""
    heatmap_peaks: np.ndarray
    """(33,) in [0, 1]."""
    roi: Roi
    lifted: np.ndarray
    """(33, 3) m, camera axes: `lift_landmarks`."""
    rotations: np.ndarray
    """(24, 3, 3), the closed form's, each relative to its parent, the first in camera axes."""
    intrinsics: Intrinsics
    elapsed_s: float
    """Since the last frame; 0 for a new track."""
    is_new: bool
    """Whether the track starts here."""


def lifter_input(
    landmarks: Landmarks, roi: Roi, start: ClosedForm, intrinsics: Intrinsics, elapsed_s: float, is_new: bool
) -> LifterInput:
    """Collect what is known of a frame; left and right are exchanged where the closed form did."""
    order = TWINS if start.solution.is_swapped else np.arange(LANDMARKS)
    return LifterInput(
        landmarks.world[order],
        start.pixels,
        start.visibility,
        landmarks.presence[order],
        landmarks.heatmap_peaks[order],
        roi,
        start.landmarks_m,
        start.solution.rotations,
        intrinsics,
        elapsed_s,
        is_new,
    )


def lifter_axes(frame: LifterInput) -> np.ndarray:
    """Return the rotation (3, 3) from the lifter's axes to camera axes."""
    middle = unproject(frame.pixels[TORSO].mean(0), frame.intrinsics)
    return shortest_rotation(FORWARD, np.append(middle, 1.0)) @ roll(frame.roi.angle)


def roll(angle: float) -> np.ndarray:
    """Return the rotation (3, 3) about the viewing axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def lifter_features(frame: LifterInput, axes: np.ndarray) -> np.ndarray:
    """Return the features (FEATURE_COUNT,) float32 of a frame; axes: from `lifter_axes`."""
    rolled = roll(frame.roi.angle)
    rotations = frame.rotations.copy()
    rotations[0] = axes.T @ rotations[0]
    middle = unproject(frame.pixels[TORSO].mean(0), frame.intrinsics)
    view = [
        *(middle @ rolled[:2, :2]),
        np.log(frame.roi.size / frame.intrinsics[0]),
        min(frame.elapsed_s, MAX_ELAPSED_S) * 10,
        float(frame.is_new),
    ]
    parts = [
        ((frame.world - frame.world[HIPS].mean(0)) @ rolled).ravel(),
        ((frame.lifted - frame.lifted[HIPS].mean(0)) @ axes).ravel(),
        ((frame.pixels - frame.roi.center) / frame.roi.size @ rolled[:2, :2]).ravel(),
        frame.visibility,
        frame.presence,
        frame.heatmap_peaks,
        six_from_matrices(rotations).ravel(),
        np.array(view),
    ]
    return np.concatenate(parts).astype(np.float32)


def six_from_matrices(rotations: np.ndarray) -> np.ndarray:
    """Return the first two columns of rotations (..., 3, 3) as (..., 6), row by row (Zhou et al., 2019)."""
    return rotations[..., :2].reshape(*rotations.shape[:-2], 6)
