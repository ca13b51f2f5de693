"""Tiling of several cameras' images into one."""

from __future__ import annotations

import math

import numpy as np

BACKGROUND = (24, 26, 31)
"""Background colour, RGB."""
PLACEHOLDER_SIZE = (360, 640)
"""Height and width of the placeholder, px."""


def placeholder_image() -> np.ndarray:
    """The placeholder for a camera before its first image: (h, w, 3) uint8."""
    return np.full((*PLACEHOLDER_SIZE, 3), BACKGROUND, np.uint8)


def tile_images(images: list[np.ndarray]) -> np.ndarray:
    """Tile images (h, w, 3) uint8 in a grid of equal cells, row by row, each centred in its cell."""
    if len(images) == 1:
        return images[0]
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    tiled = np.full((rows * height, columns * width, 3), BACKGROUND, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = row * height + (height - image.shape[0]) // 2, column * width + (width - image.shape[1]) // 2
        tiled[top : top + image.shape[0], left : left + image.shape[1]] = image
    return tiled
