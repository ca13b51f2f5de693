"""A canvas for charts: draws text and bars with Pillow, antialiased by supersampling."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from remi_stream.errors import RemiError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Rgb = tuple[int, int, int]
Box = tuple[float, float, float, float]

SUPERSAMPLING = 3
"""Supersampling factor: Pillow draws shapes without antialiasing, so the image is drawn larger and reduced."""
PALETTE_SIZE = 96
"""Palette size of the PNG file."""
CHECK_MARK = ((-4.5, 0.0), (-1.2, 3.6), (5.0, -4.0))
"""Points of the check mark, px from its centre."""


class Canvas:
    """A white image; lengths are px of the finished image."""

    def __init__(self, width: float, height: float) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (round(width * SUPERSAMPLING), round(height * SUPERSAMPLING)), "white")
        self._pen = ImageDraw.Draw(self._image)

    def fill_box(self, corners: Box, colour: Rgb, radius: float = 0) -> None:
        """Fill the rectangle x0 y0 x1 y1, with corners of this radius."""
        self._pen.rounded_rectangle(_scaled(corners), radius * SUPERSAMPLING, fill=colour)

    def fill_bar(self, corners: Box, colour: Rgb, radius: float = 3) -> None:
        """Fill the rectangle x0 y0 x1 y1, with round corners at its right end."""
        round_corners = (False, True, True, False)
        radius = min(radius, (corners[2] - corners[0]) / 2)
        self._pen.rounded_rectangle(_scaled(corners), radius * SUPERSAMPLING, fill=colour, corners=round_corners)

    def draw_text(self, x: float, y: float, text: str, size: int, colour: Rgb, anchor: str) -> None:
        """Draw a line of text; anchor is Pillow's: "lm" is left, middle."""
        self._pen.text((x * SUPERSAMPLING, y * SUPERSAMPLING), text, font=_font(size), fill=colour, anchor=anchor)

    def draw_check_mark(self, x: float, y: float, colour: Rgb) -> None:
        """Draw a check mark centred on a point."""
        points = [((x + dx) * SUPERSAMPLING, (y + dy) * SUPERSAMPLING) for dx, dy in CHECK_MARK]
        self._pen.line(points, fill=colour, width=round(2.2 * SUPERSAMPLING), joint="curve")

    def save(self, path: Path) -> None:
        """Write a PNG file atomically. Raises RemiError if it cannot be written."""
        from PIL import Image

        small = self._image.reduce(SUPERSAMPLING).quantize(PALETTE_SIZE, dither=Image.Dither.NONE)
        part = path.with_name(f".{path.name}.part")
        try:
            small.save(part, "PNG", optimize=True)
            os.replace(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise RemiError(f"{path} cannot be written: {error.strerror or error}.") from None


def text_width(text: str, size: int) -> float:
    """Return the width of a line of text, px."""
    return _font(size).getlength(text) / SUPERSAMPLING


def wrap_text(text: str, size: int, width: float) -> list[str]:
    """Wrap text to this width, px, at spaces and after "+"; longer words stay whole."""
    lines = [""]
    for word in text.replace("+", "+\0").replace(" ", " \0").split("\0"):
        if lines[-1] and text_width((lines[-1] + word).rstrip(), size) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def truncate_text(text: str, size: int, width: float) -> str:
    """Truncate a line to this width, px, with an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


@functools.cache
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(size * SUPERSAMPLING)  # type: ignore[return-value]


def _scaled(corners: Box) -> Box:
    x0, y0, x1, y1 = corners
    return x0 * SUPERSAMPLING, y0 * SUPERSAMPLING, x1 * SUPERSAMPLING - 1, y1 * SUPERSAMPLING - 1
