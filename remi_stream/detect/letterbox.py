"""Letterbox an image into a network's square, as the published programs do it, and map boxes back to the image."""

from __future__ import annotations

import cv2
import numpy as np

LETTERBOX_GREY = 128
"""AlphaPose's padding value."""


def letterbox_nearest(image: np.ndarray, side: int) -> np.ndarray:
    """Letterbox as in the multi-person tracker: image (H, W, 3) uint8 BGR -> (side, side, 3) uint8 RGB, black padding, nearest.

    An odd pixel of padding goes to the end. Only the sampled pixels are read.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    index = nearest_indices(longest, side)
    rows, columns = index - (longest - height) // 2, index - (longest - width) // 2
    inside_y, inside_x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    square = np.zeros((side, side, 3), np.uint8)
    square[np.ix_(inside_y, inside_x)] = image[np.ix_(rows[inside_y], columns[inside_x])][..., ::-1]
    return square


def nearest_indices(length: int, side: int) -> np.ndarray:
    """Source index of each of `side` px for nearest-neighbour resizing from `length` px, in float32 as PyTorch computes it."""
    index = np.floor(np.arange(side, dtype=np.float32) * np.float32(length / side)).astype(np.intp)
    return np.minimum(index, length - 1)


def boxes_from_letterbox_nearest(boxes_xyxy: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Map boxes (N, 4) px of the square to px of the image of (width, height) px, as the tracker does.

    Half the padding is rounded down to whole px of the square.
    """
    width, height = size
    scale = side / max(size)
    pad_x, pad_y = max(height - width, 0) * scale, max(width - height, 0) * scale
    offset = np.array([pad_x // 2, pad_y // 2] * 2)
    stretch = np.array([width / (side - pad_x), height / (side - pad_y)] * 2)
    return ((boxes_xyxy - offset) * stretch).astype(np.float32)


def letterbox_bicubic(image: np.ndarray, side: int) -> np.ndarray:
    """Letterbox as in AlphaPose: image (H, W, 3) uint8 BGR -> (side, side, 3) uint8 RGB, grey padding, bicubic."""
    height, width = image.shape[:2]
    scale = min(side / width, side / height)
    new_width, new_height = int(width * scale), int(height * scale)
    left, top = (side - new_width) // 2, (side - new_height) // 2
    square = np.full((side, side, 3), LETTERBOX_GREY, np.uint8)
    scaled = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_CUBIC)
    square[top : top + new_height, left : left + new_width] = scaled[..., ::-1]
    return square


def boxes_from_letterbox_bicubic(boxes_xyxy: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Map boxes (N, 4) px of the square to px of the image of (width, height) px, clipped to it."""
    scale = min(side / size[0], side / size[1])
    offset = (side - scale * np.array(size)) / 2
    boxes = (boxes_xyxy - np.tile(offset, 2)) / scale
    return np.clip(boxes, 0, np.tile(np.array(size, float), 2)).astype(np.float32)
