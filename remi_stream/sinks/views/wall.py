"""Several cameras' pictures as one."""

from __future__ import annotations

import math

import numpy as np

DARK = (24, 26, 31)
EMPTY = (360, 640)


def empty() -> np.ndarray:
    """What is shown of a camera before its first picture."""
    return np.full((*EMPTY, 3), DARK, np.uint8)


def side_by_side(images: list[np.ndarray]) -> np.ndarray:
    """Put pictures (h, w, 3) uint8 in equal places, row by row, each in the middle of its place."""
    if len(images) == 1:
        return images[0]
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    wall = np.full((rows * height, columns * width, 3), DARK, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = row * height + (height - image.shape[0]) // 2, column * width + (width - image.shape[1]) // 2
        wall[top : top + image.shape[0], left : left + image.shape[1]] = image
    return wall
