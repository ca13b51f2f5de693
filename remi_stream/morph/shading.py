"""Shading of vertex colours, and the background image."""

from __future__ import annotations

import numpy as np

from remi_stream.render.camera import Size
from remi_stream.render.light import HIGHLIGHT_LEVEL, NEUTRAL_BRIGHTNESS, SHADOW_LEVEL, brightness

BACKGROUND_TOP, BACKGROUND_BOTTOM = (248, 249, 250), (222, 226, 230)
"""The background, RGB, at the top and at the bottom."""
DEFAULT_COLOUR = (104, 163, 178)
"""RGB of a mesh without colours."""
FLAT_SHADOW_LEVEL = 0.62
"""Minimum brightness in flat shading: heatmap colours must stay readable."""


def background_image(size: Size) -> np.ndarray:
    """Make the background, a vertical gradient, (h, w, 3) uint8 RGB."""
    width, height = size
    down = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(BACKGROUND_TOP) + (np.array(BACKGROUND_BOTTOM) - np.array(BACKGROUND_TOP)) * down
    return np.broadcast_to(rows.round().astype(np.uint8), (height, width, 3)).copy()


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
