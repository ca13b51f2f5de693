"""Heatmap images of vertex displacements and texture differences."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.morph.drawing import Look, painter_of
from remi_stream.morph.pair import Pair
from remi_stream.morph.scale import coloured, with_scale

SMALLEST_PX, LARGEST_PX = 512, 1024
"""Limits of the longer side of a texture in its heatmap."""


def of_displacement(pair: Pair, look: Look) -> np.ndarray:
    """Render the first mesh from the front and behind, coloured by displacement: (h, w, 3) uint8 RGB."""
    maximum = float(pair.lengths.max())
    colours = coloured(pair.lengths, maximum).astype(np.float32)
    renderers = [painter_of(pair, look, pair.a.vertices, back) for back in (False, True)]
    image = np.hstack([renderer.draw(pair.a.vertices, colours, legible=True) for renderer in renderers])
    return with_scale(image, maximum, heading(pair, "displacement", pair.lengths, pair.unit))


def of_textures(pair: Pair) -> np.ndarray:
    """Draw the texture coloured by its difference: (h, w, 3) uint8 RGB."""
    assert pair.differences is not None
    maximum = float(pair.differences.max())
    height, width = pair.differences.shape
    longer = max(height, width)
    share = min(max(longer, SMALLEST_PX), LARGEST_PX) / longer
    size = max(1, round(width * share)), max(1, round(height * share))
    resized = cv2.resize(pair.differences, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_NEAREST)
    return with_scale(coloured(resized, maximum), maximum, heading(pair, "texture difference", pair.differences, "of 255"))


def heading(pair: Pair, name: str, values: np.ndarray, unit: str) -> tuple[str, str]:
    """Two title lines of a heatmap."""
    numbers = f"mean {values.mean():.4g}, max {values.max():.4g}" + f" {unit}" * bool(unit)
    return f"{pair.a.name} to {pair.b.name}", f"{name}: {numbers}"
