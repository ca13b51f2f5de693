"""Colour palette of tracks."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Person
from remi_stream.skeletons import BONES

Rgb = tuple[int, int, int]

TRACK_COLOURS: tuple[Rgb, ...] = (
    (63, 176, 178),
    (240, 138, 93),
    (155, 126, 222),
    (228, 182, 76),
    (91, 155, 230),
    (228, 120, 170),
    (126, 190, 92),
    (190, 150, 130),
)
"""RGB, of medium lightness: visible on white and on black; neighbours differ in hue."""


def track_colour(track_id: int) -> Rgb:
    """The colour of a track; it depends on the id alone."""
    return TRACK_COLOURS[(track_id - 1) % len(TRACK_COLOURS)]


def css_colour(colour: Rgb) -> str:
    """A colour in CSS notation (#rrggbb)."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


# Confidence scores of joints and their colour map (red, amber, green).


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


# The bones of a skeleton whose two joints are visible.


Bone = tuple[int, int]


def visible_bones(skeleton: str, visible: np.ndarray) -> list[Bone]:
    """The pairs of joints that are both visible. visible: (K,) bool. An unknown skeleton has no bones."""
    joints = set(np.flatnonzero(visible).tolist())
    return [(a, b) for a, b in BONES.get(skeleton, ()) if a in joints and b in joints]
