"""Confidence scores of joints and their colour map (red, amber, green)."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Person

CONFIDENCE_STOPS = (0.0, 0.5, 1.0)
"""Scores of the three colours; between them colours are interpolated linearly."""
CONFIDENCE_COLOURS = ((204, 51, 63), (240, 178, 62), (60, 170, 90))
"""Red, amber, green, RGB. They differ in lightness too, for red-green colour blindness."""
UNKNOWN_COLOUR = (138, 145, 156)
"""Grey, RGB: for joints without a score."""


def confidence_colours(scores: np.ndarray) -> np.ndarray:
    """The colours (N, 3) uint8 RGB of scores (N,) in [0, 1]; grey where a score is not a number."""
    known = np.nan_to_num(scores, nan=0.0)
    colours = np.stack([np.interp(known, CONFIDENCE_STOPS, channel) for channel in zip(*CONFIDENCE_COLOURS)], axis=-1)
    colours[np.isnan(scores)] = UNKNOWN_COLOUR
    return colours.round().astype(np.uint8)


def joint_scores(person: Person) -> np.ndarray:
    """The confidence (J,) of each of joints_m; NaN where unknown. Key point scores apply only if the skeletons are the same."""
    count = len(person.joints_m)
    if not person.joints_skeleton and len(person.keypoint_scores) == count:
        return person.keypoint_scores
    if person.smpl is not None and person.effective_joints_skeleton == "smpl24":
        return person.smpl.joint_confidence
    return np.full(count, np.nan)
