"""The panel's image: of one camera, or of all in a grid with their names; greyed, with the reason, while a camera is away."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from remi_stream.sinks.live_view import greyed_image, tile_grid, tile_images

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

WIDTH_PX = 640
"""Maximum width: the image of all cameras stays as large to send as one camera's."""
NAME_PX, SMALL_NAME_PX, NOTE_PX = 17, 15, 19
"""Height of names, of long names, and of notes, px: the panel shows the image at half its size."""
PLATE, TEXT, NOTE = (16, 18, 22), (236, 239, 244), (255, 214, 150)
"""Colours, RGB."""
MARGIN_PX = 4


class CameraPicture(NamedTuple):
    """One camera's part of the panel's image."""

    image: np.ndarray
    """(h, w, 3) uint8 RGB."""
    name: str
    """In the upper left corner; "": none."""
    note: str
    """Why the image is not of now, e.g. "away since 7 s"; "": it is."""


def panel_image(pictures: Sequence[CameraPicture]) -> np.ndarray:
    """The image of the panel, (h, w, 3) uint8 RGB: pictures in a grid."""
    columns = tile_grid([each.image for each in pictures]).columns
    tiles = [_shrunk(each.image, WIDTH_PX // columns) for each in pictures]
    tiles = [greyed_image(tile) if each.note else tile for tile, each in zip(tiles, pictures)]
    if not any(each.name or each.note for each in pictures):
        return tile_images(tiles)
    grid, canvas = tile_grid(tiles), Image.fromarray(tile_images(tiles))
    draw = ImageDraw.Draw(canvas)
    for number, each in enumerate(pictures):
        left, top = grid.corner(number)
        if each.name:
            _write_name(draw, each.name, (left, top), grid.width)
        if each.note:
            _write_note(draw, each.note, (left + grid.width // 2, top + grid.height // 2), grid.width)
    return np.asarray(canvas)


def fitting_text(text: str, font: FreeTypeFont, width_px: float) -> str:
    """A text, without its beginning where there is no room: names of cameras differ at their end."""
    if font.getlength(text) <= width_px:
        return text
    kept = text
    while kept and font.getlength(f"…{kept}") > width_px:
        kept = kept[1:]
    return f"…{kept}"


def _write_name(draw: ImageDraw.ImageDraw, name: str, corner: tuple[int, int], width: int) -> None:
    room = width - 2 * MARGIN_PX
    font = _font(NAME_PX if _font(NAME_PX).getlength(name) <= room else SMALL_NAME_PX)
    text = fitting_text(name, font, room)
    left, top = corner
    draw.rectangle((left, top, left + font.getlength(text) + 2 * MARGIN_PX, top + NAME_PX + MARGIN_PX), fill=PLATE)
    draw.text((left + MARGIN_PX, top + 1), text, fill=TEXT, font=font)


def _write_note(draw: ImageDraw.ImageDraw, note: str, middle: tuple[int, int], width: int) -> None:
    font = _font(NOTE_PX)
    letters = max(8, int((width - 2 * MARGIN_PX) / font.getlength("n")))
    lines = textwrap.wrap(re.sub(r"(\d) ", "\\1\N{NO-BREAK SPACE}", note), letters)  # "7 s" is one word
    draw.multiline_text(
        middle, "\n".join(lines), fill=NOTE, font=font, anchor="mm", align="center", stroke_width=2, stroke_fill=PLATE
    )


def _shrunk(image: np.ndarray, width: int) -> np.ndarray:
    """An image scaled down to a width, px, if it is wider."""
    share = width / image.shape[1]
    return image if share >= 1 else cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


@cache
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)  # type: ignore[return-value]
