"""A pygame window that shows an image with text; the only module that imports pygame."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command

MARGIN_PX = 8
TEXT_PX = 15
PART_SEPARATOR = "     "
ALTERNATIVE = "Leave out --display, or use --viewer web"
TEXT_BACKGROUND, TEXT_COLOUR = (16, 18, 22, 190), (236, 239, 244)


class TileLabel(NamedTuple):
    """Text over one camera's image."""

    left: int
    """Of the image's cell, px."""
    top: int
    """Of the image's cell, px."""
    width: int
    """Of the image's cell, px."""
    height: int
    """Of the image's cell, px."""
    name: str
    """In the upper left corner; "": none."""
    message: str
    """In the middle; "": none."""


class DisplayWindow:
    """A window that opens with the first image. Raises RemiError without pygame or a screen."""

    def __init__(self, title: str) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_RENDER_SCALE_QUALITY", "linear")  # an enlarged window shows no stair-steps
        try:
            import pygame  # an optional dependency
        except ModuleNotFoundError:
            raise RemiError(f"--display needs pygame. Install it: {install_command('display')}") from None
        self._pygame = pygame
        self._size = (0, 0)
        try:
            pygame.display.init()
        except pygame.error as error:
            raise RemiError(f"Cannot open a window: {error}. {ALTERNATIVE}") from None
        # SDL falls back to its offscreen driver where there is no screen; chosen by the user it is fine.
        if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
            raise RemiError(f"Cannot open a window: there is no screen here. {ALTERNATIVE}")
        pygame.font.init()
        pygame.display.set_caption(title)
        self._font = pygame.font.Font(None, round(TEXT_PX * 1.4))

    def pressed_keys(self) -> list[str]:
        """The names of the keys pressed since the last call; closing the window counts as q."""
        pygame = self._pygame
        names = []
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                names.append("q")
            elif event.type == pygame.KEYDOWN:
                names.append(pygame.key.name(event.key))
        return names

    def show(self, image: np.ndarray, parts: list[str], notice: str = "", labels: Sequence[TileLabel] = ()) -> None:
        """Show an image (h, w, 3) uint8 RGB with text at the bottom, wrapped between parts, labels and a notice at the top."""
        pygame = self._pygame
        size = (image.shape[1], image.shape[0])
        if size != self._size:
            self._open(size)
        self._surface.blit(pygame.image.frombuffer(np.ascontiguousarray(image).data, size, "RGB"), (0, 0))
        for label in labels:
            self._label(label)
        lines = self._lines(parts, PART_SEPARATOR)
        self._write(lines, size[1] - self._height(lines))
        if notice:
            self._write(self._lines(notice.split(), " "), 0)
        pygame.display.flip()

    def save(self, path: str) -> None:
        """Save the shown image to a file."""
        self._pygame.image.save(self._surface, path)

    def close(self) -> None:
        """Close the window."""
        self._pygame.quit()

    def _open(self, size: tuple[int, int]) -> None:
        """Open or resize the window for images of this size; the user may enlarge it, SDL scales then."""
        self._size = size
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no fast renderer")  # SCALED without a GPU
            self._surface = self._pygame.display.set_mode(size, self._pygame.SCALED | self._pygame.RESIZABLE)

    def _label(self, label: TileLabel) -> None:
        """Write a label over its image."""
        if label.name:
            self._plate(label.name, (label.left, label.top), label.width)
        if label.message:
            width, height = self._font.size(label.message)
            left = label.left + (label.width - width) // 2 - MARGIN_PX
            self._plate(label.message, (max(label.left, left), label.top + (label.height - height) // 2), label.width)

    def _plate(self, text: str, corner: tuple[int, int], max_width: int) -> None:
        """Write a text on a plate that is as wide as it, or as there is room."""
        width, height = self._font.size(text)
        plate = self._pygame.Surface((min(width + 2 * MARGIN_PX, max_width), height + MARGIN_PX), self._pygame.SRCALPHA)
        plate.fill(TEXT_BACKGROUND)
        plate.blit(self._font.render(text, True, TEXT_COLOUR), (MARGIN_PX, MARGIN_PX // 2))
        self._surface.blit(plate, corner)

    def _lines(self, parts: list[str], between: str) -> list[str]:
        """Wrap parts into lines that fit the window's width; a part that is wider is broken between its words."""
        room = self._size[0] - 2 * MARGIN_PX
        parts = [piece for part in parts for piece in ([part] if self._font.size(part)[0] <= room else part.split())]
        lines = parts[:1]
        for part in parts[1:]:
            longer = f"{lines[-1]}{between}{part}"
            if self._font.size(longer)[0] > room:
                lines.append(part)
            else:
                lines[-1] = longer
        return lines

    def _height(self, lines: list[str]) -> int:
        return len(lines) * self._font.get_linesize() + MARGIN_PX

    def _write(self, lines: list[str], top: int) -> None:
        strip = self._pygame.Surface((self._size[0], self._height(lines)), self._pygame.SRCALPHA)
        strip.fill(TEXT_BACKGROUND)
        for number, line in enumerate(lines):
            strip.blit(
                self._font.render(line, True, TEXT_COLOUR), (MARGIN_PX, MARGIN_PX // 2 + number * self._font.get_linesize())
            )
        self._surface.blit(strip, (0, top))
