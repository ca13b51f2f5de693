"""Shading of vertex colours, and the background image."""

from __future__ import annotations

import numpy as np

from remi_stream.render.camera import Size
from remi_stream.render.light import LIT, SHADOW, SHINE, brightness

TOP, BOTTOM = (248, 249, 250), (222, 226, 230)
"""The background, RGB, at the top and at the bottom."""
PLAIN = (104, 163, 178)
"""RGB of a mesh without colours."""
FLAT_SHADOW = 0.62
"""Minimum brightness in flat shading: heatmap colours must stay readable."""


def background(size: Size) -> np.ndarray:
    """Make the background, a vertical gradient, (h, w, 3) uint8 RGB."""
    width, height = size
    down = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(TOP) + (np.array(BOTTOM) - np.array(TOP)) * down
    return np.broadcast_to(rows.round().astype(np.uint8), (height, width, 3)).copy()


def shaded(colours: np.ndarray, normals: np.ndarray, legible: bool) -> np.ndarray:
    """Shade colours (V, 3), RGB 0 to 255, to float32. normals: (V, 3), camera axes. legible: no highlights, soft shadows."""
    light = brightness(normals)[:, None]
    dark = (light / LIT).clip(0, 1)
    if legible:
        return (colours * (FLAT_SHADOW + (1 - FLAT_SHADOW) * dark)).astype(np.float32)
    lit = colours * (SHADOW + (1 - SHADOW) * dark)
    return (lit + (255 - colours) * (SHINE * ((light - LIT) / (1 - LIT)).clip(0, 1))).astype(np.float32)
