"""How light falls on a skin: one number for each point of it, and the colours that such numbers become."""

from __future__ import annotations

from functools import cache

import numpy as np

from remi_stream.geometry import unit
from remi_stream.sinks.views.palette import colour_of

KEY = unit(np.array([-0.45, -0.65, -0.6]))
"""Towards the lamp, in the axes of who looks: above their left shoulder."""
FILL = unit(np.array([0.8, -0.1, -0.6]))
SKY = np.array([0.0, -1.0, 0.0])
STEPS = 256
SHADOW, SHINE = 0.3, 0.62
"""How much of the colour is left in the dark, and how far towards white the brightest spot goes."""
LIT = 0.75
"""The brightness at which the colour is itself."""


def brightness(normals: np.ndarray) -> np.ndarray:
    """The light on points with normals (V, 3), in the axes of who looks: (V,) in [0, 1]."""
    key, fill, sky = (normals @ side.astype(normals.dtype) for side in (KEY, FILL, SKY))
    shine = (normals @ unit(KEY - (0, 0, 1)).astype(normals.dtype)).clip(0) ** 24
    return (0.14 + 0.46 * key.clip(0) + 0.12 * fill.clip(0) + 0.09 * (1 + sky) / 2 + 0.28 * shine).clip(0, 1)


@cache
def ramp(track_id: int) -> np.ndarray:
    """The colours of somebody from the darkest to the brightest, (STEPS, 3) uint8 BGR."""
    colour = np.array(colour_of(track_id)[::-1], float)
    at, ends = (0.0, LIT, 1.0), (colour * SHADOW, colour, colour + (255 - colour) * SHINE)
    steps = np.linspace(0, 1, STEPS)
    return np.stack([np.interp(steps, at, channel) for channel in zip(*ends)], -1).round().astype(np.uint8)
