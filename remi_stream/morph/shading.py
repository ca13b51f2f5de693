"""How a surface of any colours looks in the light."""

from __future__ import annotations

import numpy as np

from remi_stream.render.camera import Size
from remi_stream.render.light import LIT, SHADOW, SHINE, brightness

TOP, BOTTOM = (248, 249, 250), (222, 226, 230)
"""The background, RGB, at the top and at the bottom."""
PLAIN = (104, 163, 178)
"""RGB, of a mesh without colours."""
FLAT_SHADOW = 0.62
"""How dark a colour that is to be read from a scale may become."""


def background(size: Size) -> np.ndarray:
    """A picture of nothing, (h, w, 3) uint8 RGB."""
    width, height = size
    down = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(TOP) + (np.array(BOTTOM) - np.array(TOP)) * down
    return np.broadcast_to(rows.round().astype(np.uint8), (height, width, 3)).copy()


def shaded(colours: np.ndarray, normals: np.ndarray, legible: bool) -> np.ndarray:
    """Colours (V, 3), RGB 0 to 255, in the light, float32. normals: (V, 3), camera axes. legible: without shine, never dark."""
    light = brightness(normals)[:, None]
    dark = (light / LIT).clip(0, 1)
    if legible:
        return (colours * (FLAT_SHADOW + (1 - FLAT_SHADOW) * dark)).astype(np.float32)
    lit = colours * (SHADOW + (1 - SHADOW) * dark)
    return (lit + (255 - colours) * (SHINE * ((light - LIT) / (1 - LIT)).clip(0, 1))).astype(np.float32)
