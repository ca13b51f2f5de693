"""Shading on the CPU: brightness from normals with key light, fill light, sky and specular highlight, and colour ramps."""

from __future__ import annotations

from functools import cache

import numpy as np

from remi_stream.geometry import unit_vectors
from remi_stream.render.colours import track_colour

KEY_LIGHT = unit_vectors(np.array([-0.45, -0.65, -0.6]))
"""Direction to the key light, rendering camera's axes (x right, y down, z forward): above the left shoulder."""
FILL_LIGHT = unit_vectors(np.array([0.8, -0.1, -0.6]))
SKY_LIGHT = np.array([0.0, -1.0, 0.0])
RAMP_STEPS = 256
SHADOW_LEVEL, HIGHLIGHT_LEVEL = 0.3, 0.62
"""Share of the colour that is left in the dark, and of white in the brightest highlight."""
NEUTRAL_BRIGHTNESS = 0.75
"""The brightness that shows the unchanged colour."""
FLAT_SHADOW_LEVEL = 0.62
"""Minimum brightness in flat shading: heatmap colours must stay readable."""


def brightness(normals: np.ndarray) -> np.ndarray:
    """Shade points with normals (V, 3), rendering camera's axes: brightness (V,) in [0, 1]."""
    # Blinn-Phong: the half vector between the key light and the view direction, exponent 24.
    key, fill, sky = (normals @ side.astype(normals.dtype) for side in (KEY_LIGHT, FILL_LIGHT, SKY_LIGHT))
    shine = (normals @ unit_vectors(KEY_LIGHT - (0, 0, 1)).astype(normals.dtype)).clip(0) ** 24
    return (0.14 + 0.46 * key.clip(0) + 0.12 * fill.clip(0) + 0.09 * (1 + sky) / 2 + 0.28 * shine).clip(0, 1)


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
