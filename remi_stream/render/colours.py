"""Colours: of tracks, of confidence scores, of lit surfaces; and the bones that are drawn in them."""

from __future__ import annotations

from functools import cache

import numpy as np

from remi_stream.geometry import unit_vectors
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
    """Colour of a track; it depends on the id alone, so that all viewers show a person alike."""
    return TRACK_COLOURS[(track_id - 1) % len(TRACK_COLOURS)]


def css_colour(colour: Rgb) -> str:
    """Format a colour in CSS notation (#rrggbb)."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


CONFIDENCE_STOPS = (0.0, 0.5, 1.0)
"""Scores of the three colours; between them colours are interpolated linearly."""
CONFIDENCE_COLOURS = ((204, 51, 63), (240, 178, 62), (60, 170, 90))
"""Red, amber, green, RGB. They differ in lightness too, for red-green colour blindness."""
UNKNOWN_COLOUR = (138, 145, 156)
"""Grey, RGB: for joints without a score."""


def confidence_colours(scores: np.ndarray) -> np.ndarray:
    """Colours (N, 3) uint8 RGB of scores (N,) in [0, 1]; grey where a score is not a number."""
    known = np.nan_to_num(scores, nan=0.0)
    colours = np.stack([np.interp(known, CONFIDENCE_STOPS, channel) for channel in zip(*CONFIDENCE_COLOURS)], axis=-1)
    colours[np.isnan(scores)] = UNKNOWN_COLOUR
    return colours.round().astype(np.uint8)


def joint_scores(person: Person) -> np.ndarray:
    """Confidence (J,) of each of joints_m; NaN where unknown. Key point scores apply only if the skeletons are the same."""
    count = len(person.joints_m)
    if not person.joints_skeleton and len(person.keypoint_scores) == count:
        return person.keypoint_scores
    if person.smpl is not None and person.effective_joints_skeleton == "smpl24":
        return person.smpl.joint_confidence
    return np.full(count, np.nan)


Bone = tuple[int, int]


def visible_bones(skeleton: str, visible: np.ndarray) -> list[Bone]:
    """Bones whose two joints are both visible. visible: (K,) bool. An unknown skeleton has no bones."""
    joints = set(np.flatnonzero(visible).tolist())
    return [(a, b) for a, b in BONES.get(skeleton, ()) if a in joints and b in joints]


KEY_LIGHT = unit_vectors(np.array([-0.45, -0.65, -0.6]))
"""Shading: direction to the key light, rendering camera's axes (x right, y down, z forward): above the left shoulder."""
FILL_LIGHT = unit_vectors(np.array([0.8, -0.1, -0.6]))
SKY_LIGHT = np.array([0.0, -1.0, 0.0])
RAMP_STEPS = 256
SHADOW_LEVEL, HIGHLIGHT_LEVEL = 0.3, 0.62
"""Share of the colour that is left in the dark, and of white in the brightest highlight."""
NEUTRAL_BRIGHTNESS = 0.75
"""Brightness at which a colour is shown unchanged."""
FLAT_SHADOW_LEVEL = 0.62
"""Minimum brightness in flat shading: heatmap colours must stay readable."""


def brightness(normals: np.ndarray) -> np.ndarray:
    """Shade points with normals (V, 3), rendering camera's axes: brightness (V,) in [0, 1]."""
    # Blinn-Phong: the half vector between the key light and the view direction, exponent 24.
    key, fill, sky = (normals @ side.astype(normals.dtype) for side in (KEY_LIGHT, FILL_LIGHT, SKY_LIGHT))
    shine = (normals @ unit_vectors(KEY_LIGHT - (0, 0, 1)).astype(normals.dtype)).clip(0) ** 24
    return (0.14 + 0.46 * key.clip(0) + 0.12 * fill.clip(0) + 0.09 * (1 + sky) / 2 + 0.28 * shine).clip(0, 1)


# a ramp of 256 colours per track: looking colours up is faster than blending them for every pixel
@cache
def track_ramp(track_id: int) -> np.ndarray:
    """Colour ramp of a track from dark to bright, (RAMP_STEPS, 3) uint8 BGR."""
    colour = np.array(track_colour(track_id)[::-1], float)
    at, ends = (0.0, NEUTRAL_BRIGHTNESS, 1.0), (colour * SHADOW_LEVEL, colour, colour + (255 - colour) * HIGHLIGHT_LEVEL)
    steps = np.linspace(0, 1, RAMP_STEPS)
    return np.stack([np.interp(steps, at, channel) for channel in zip(*ends)], -1).round().astype(np.uint8)


def shade_colours(colours: np.ndarray, normals: np.ndarray, flat_shading: bool) -> np.ndarray:
    """Shade colours (V, 3), RGB 0 to 255, to float32. normals: (V, 3), camera axes. flat_shading: no highlights, soft shadows."""
    light = brightness(normals)[:, None]
    dark = (light / NEUTRAL_BRIGHTNESS).clip(0, 1)
    if flat_shading:
        return (colours * (FLAT_SHADOW_LEVEL + (1 - FLAT_SHADOW_LEVEL) * dark)).astype(np.float32)
    lit = colours * (SHADOW_LEVEL + (1 - SHADOW_LEVEL) * dark)
    return (
        lit + (255 - colours) * (HIGHLIGHT_LEVEL * ((light - NEUTRAL_BRIGHTNESS) / (1 - NEUTRAL_BRIGHTNESS)).clip(0, 1))
    ).astype(np.float32)
