"""Heatmap images of vertex displacements and texture differences, with a colour bar and titles."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from remi_stream.morph.drawing import MorphOptions, make_renderer
from remi_stream.morph.pair import MorphPair

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

COLOUR_STEPS = 256
COLOUR_MAP = np.array([(220, 226, 232), (254, 217, 118), (253, 141, 60), (227, 26, 28), (104, 0, 58)], float)
"""RGB from 0 to the maximum; lightness decreases, so that the order is visible in greyscale too."""
TEXT_COLOUR, BACKGROUND_COLOUR, TICK_COLOUR = (52, 58, 64), (248, 249, 250), (173, 181, 189)
COLOUR_BAR_WIDTH_PX, TITLE_HEIGHT_PX, TITLE_LINE_PX, BAR_PX, MARGIN_PX, TEXT_PX = 120, 64, 20, 20, 16, 15
MAX_TICKS = 6
"""Maximum number of tick intervals."""


def apply_colour_map(values: np.ndarray, maximum: float) -> np.ndarray:
    """Apply the colour map to values (...) from 0 to `maximum`: (..., 3) uint8 RGB."""
    share = values / maximum if maximum > 0 else np.zeros(np.shape(values))
    return colour_map()[(share * (COLOUR_STEPS - 1)).round().clip(0, COLOUR_STEPS - 1).astype(int)]


@functools.cache
def colour_map() -> np.ndarray:
    """Interpolate the colour map linearly: (COLOUR_STEPS, 3) uint8 RGB."""
    at = np.linspace(0, len(COLOUR_MAP) - 1, COLOUR_STEPS)
    return np.stack([np.interp(at, np.arange(len(COLOUR_MAP)), channel) for channel in COLOUR_MAP.T], -1).round().astype(np.uint8)


def add_colour_bar(image: np.ndarray, maximum: float, title: tuple[str, str]) -> np.ndarray:
    """Add two title lines above an image (h, w, 3) uint8 RGB and a colour bar from 0 to `maximum` at its right."""
    from PIL import Image, ImageDraw

    height, width = image.shape[:2]
    sheet = np.empty((height + TITLE_HEIGHT_PX, width + COLOUR_BAR_WIDTH_PX, 3), np.uint8)
    sheet[:] = BACKGROUND_COLOUR
    sheet[TITLE_HEIGHT_PX:, :width] = image
    top, bottom, left = TITLE_HEIGHT_PX + MARGIN_PX, TITLE_HEIGHT_PX + height - MARGIN_PX, width + MARGIN_PX
    sheet[top:bottom, left : left + BAR_PX] = apply_colour_map(np.linspace(maximum or 1, 0, bottom - top), maximum or 1)[:, None]
    # Pillow for text: OpenCV has stroke fonts only
    canvas = Image.fromarray(sheet)
    pen = ImageDraw.Draw(canvas)
    for number, line in enumerate(title):
        pen.text(
            (MARGIN_PX, TITLE_HEIGHT_PX / 2 + (number - 0.5) * TITLE_LINE_PX), line, font=_font(), fill=TEXT_COLOUR, anchor="lm"
        )
    for tick in tick_values(maximum):
        y = bottom - 1 - (bottom - top - 1) * (tick / maximum if maximum else 0)
        pen.line([(left + BAR_PX, y), (left + BAR_PX + 5, y)], fill=TICK_COLOUR, width=1)
        pen.text((left + BAR_PX + 9, y), f"{tick:.6g}", font=_font(), fill=TEXT_COLOUR, anchor="lm")
    return np.array(canvas)


def tick_values(maximum: float) -> list[float]:
    """Tick values: round numbers from 0 to `maximum`."""
    if not maximum > 0:
        return [0.0]
    # the smallest of 1, 2, 5, 10, 20 times a power of ten with few enough ticks
    size = 10.0 ** math.floor(math.log10(maximum / MAX_TICKS))
    step = next(step * size for step in (1, 2, 5, 10, 20) if maximum / (step * size) <= MAX_TICKS)
    return [float(f"{k * step:.12g}") for k in range(int(maximum / step * (1 + 1e-9)) + 1)]


@functools.cache
def _font() -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(TEXT_PX)  # type: ignore[return-value]


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
