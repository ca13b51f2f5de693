"""Colour map of heatmaps, and a colour bar with ticks and title."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

STEPS = 256
COLOURS = np.array([(220, 226, 232), (254, 217, 118), (253, 141, 60), (227, 26, 28), (104, 0, 58)], float)
"""RGB from 0 to the maximum, with decreasing lightness."""
INK, PAPER, FRAME = (52, 58, 64), (248, 249, 250), (173, 181, 189)
WIDTH_PX, HEAD_PX, LINE_PX, BAR_PX, EDGE_PX, TEXT_PX = 120, 64, 20, 20, 16, 15
MOST_MARKS = 6
"""Maximum number of tick intervals."""


def coloured(values: np.ndarray, most: float) -> np.ndarray:
    """Apply the colour map to values (...) from 0 to `most`: (..., 3) uint8 RGB."""
    share = values / most if most > 0 else np.zeros(np.shape(values))
    return ramp()[(share * (STEPS - 1)).round().clip(0, STEPS - 1).astype(int)]


@functools.cache
def ramp() -> np.ndarray:
    """The colour map, interpolated linearly: (STEPS, 3) uint8 RGB."""
    at = np.linspace(0, len(COLOURS) - 1, STEPS)
    return np.stack([np.interp(at, np.arange(len(COLOURS)), channel) for channel in COLOURS.T], -1).round().astype(np.uint8)


def with_scale(image: np.ndarray, most: float, heading: tuple[str, str]) -> np.ndarray:
    """Add two title lines above an image (h, w, 3) uint8 RGB and a colour bar from 0 to `most` at its right."""
    from PIL import Image, ImageDraw

    height, width = image.shape[:2]
    sheet = np.empty((height + HEAD_PX, width + WIDTH_PX, 3), np.uint8)
    sheet[:] = PAPER
    sheet[HEAD_PX:, :width] = image
    top, bottom, left = HEAD_PX + EDGE_PX, HEAD_PX + height - EDGE_PX, width + EDGE_PX
    sheet[top:bottom, left : left + BAR_PX] = coloured(np.linspace(most or 1, 0, bottom - top), most or 1)[:, None]
    canvas = Image.fromarray(sheet)
    pen = ImageDraw.Draw(canvas)
    for number, line in enumerate(heading):
        pen.text((EDGE_PX, HEAD_PX / 2 + (number - 0.5) * LINE_PX), line, font=_font(), fill=INK, anchor="lm")
    for mark in marks(most):
        y = bottom - 1 - (bottom - top - 1) * (mark / most if most else 0)
        pen.line([(left + BAR_PX, y), (left + BAR_PX + 5, y)], fill=FRAME, width=1)
        pen.text((left + BAR_PX + 9, y), f"{mark:.6g}", font=_font(), fill=INK, anchor="lm")
    return np.array(canvas)


def marks(most: float) -> list[float]:
    """Tick values: round numbers from 0 to `most`."""
    if not most > 0:
        return [0.0]
    size = 10.0 ** math.floor(math.log10(most / MOST_MARKS))
    step = next(step * size for step in (1, 2, 5, 10, 20) if most / (step * size) <= MOST_MARKS)
    return [float(f"{k * step:.12g}") for k in range(int(most / step * (1 + 1e-9)) + 1)]


@functools.cache
def _font() -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(TEXT_PX)  # type: ignore[return-value]
