"""Differences as colours."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.morph.drawing import Look, painter_of
from remi_stream.morph.pair import Pair
from remi_stream.morph.scale import coloured, with_scale

SMALLEST_PX, LARGEST_PX = 512, 1024
"""The longer side of a texture, as it is shown."""


def of_displacement(pair: Pair, look: Look) -> np.ndarray:
    """The first mesh from the front and from behind, in the colours of how far it moves: (h, w, 3) uint8 RGB."""
    most = float(pair.lengths.max())
    colours = coloured(pair.lengths, most).astype(np.float32)
    painters = [painter_of(pair, look, pair.a.vertices, back) for back in (False, True)]
    image = np.hstack([painter.draw(pair.a.vertices, colours, legible=True) for painter in painters])
    return with_scale(image, most, heading(pair, "displacement", pair.lengths, pair.unit))


def of_textures(pair: Pair) -> np.ndarray:
    """The texture in the colours of how much it changes: (h, w, 3) uint8 RGB."""
    assert pair.differences is not None
    most = float(pair.differences.max())
    height, width = pair.differences.shape
    longer = max(height, width)
    share = min(max(longer, SMALLEST_PX), LARGEST_PX) / longer
    size = max(1, round(width * share)), max(1, round(height * share))
    image = coloured(cv2.resize(pair.differences, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_NEAREST), most)
    return with_scale(image, most, heading(pair, "texture difference", pair.differences, "of 255"))


def heading(pair: Pair, name: str, values: np.ndarray, unit: str) -> tuple[str, str]:
    """Two lines above a picture."""
    numbers = f"mean {values.mean():.4g}, most {values.max():.4g}" + f" {unit}" * bool(unit)
    return f"{pair.a.name} to {pair.b.name}", f"{name}: {numbers}"
