"""Heatmap images of vertex displacements and texture differences."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.morph.drawing import MorphOptions, make_renderer
from remi_stream.morph.pair import MorphPair
from remi_stream.morph.scale import add_colour_bar, apply_colour_map

MIN_TEXTURE_PX, MAX_TEXTURE_PX = 512, 1024
"""Limits of the longer side of a texture in its heatmap."""


def displacement_heatmap(pair: MorphPair, options: MorphOptions) -> np.ndarray:
    """Render the first mesh from the front and behind, coloured by displacement: (h, w, 3) uint8 RGB."""
    maximum = float(pair.distances.max())
    colours = apply_colour_map(pair.distances, maximum).astype(np.float32)
    renderers = [make_renderer(pair, options, pair.a.vertices, back) for back in (False, True)]
    image = np.hstack([renderer.render(pair.a.vertices, colours, flat_shading=True) for renderer in renderers])
    return add_colour_bar(image, maximum, heatmap_title(pair, "displacement", pair.distances, pair.unit))


def texture_heatmap(pair: MorphPair) -> np.ndarray:
    """Draw the texture coloured by its difference: (h, w, 3) uint8 RGB."""
    assert pair.texture_differences is not None
    maximum = float(pair.texture_differences.max())
    height, width = pair.texture_differences.shape
    longer = max(height, width)
    share = min(max(longer, MIN_TEXTURE_PX), MAX_TEXTURE_PX) / longer
    size = max(1, round(width * share)), max(1, round(height * share))
    resized = cv2.resize(pair.texture_differences, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_NEAREST)
    return add_colour_bar(
        apply_colour_map(resized, maximum), maximum, heatmap_title(pair, "texture difference", pair.texture_differences, "of 255")
    )


def heatmap_title(pair: MorphPair, name: str, values: np.ndarray, unit: str) -> tuple[str, str]:
    """Two title lines of a heatmap."""
    numbers = f"mean {values.mean():.4g}, max {values.max():.4g}" + f" {unit}" * bool(unit)
    return f"{pair.a.name} to {pair.b.name}", f"{name}: {numbers}"
