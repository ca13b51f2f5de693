"""Pictures of any shape in a network's square, in the two ways of the published programs; and boxes back from there."""

from __future__ import annotations

import cv2
import numpy as np

GREY = 128


def padded(image: np.ndarray, side: int) -> np.ndarray:
    """The tracker's way: image (H, W, 3) uint8 BGR, black strips make it square, nearest pixels; (side, side, 3) uint8 RGB.

    An odd pixel of padding goes to the end. Only the pixels that are taken are read.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    place = nearest(longest, side)
    rows, columns = place - (longest - height) // 2, place - (longest - width) // 2
    there_y, there_x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    square = np.zeros((side, side, 3), np.uint8)
    square[np.ix_(there_y, there_x)] = image[np.ix_(rows[there_y], columns[there_x])][..., ::-1]
    return square


def nearest(length: int, side: int) -> np.ndarray:
    """Which of length px each of side px shows, in float32, as PyTorch computes it."""
    place = np.floor(np.arange(side, dtype=np.float32) * np.float32(length / side)).astype(np.intp)
    return np.minimum(place, length - 1)


def from_padded(boxes_xyxy: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes (N, 4) px of the square as px of the picture of (width, height) px, as the tracker computes them.

    Half the padding is rounded down to whole px of the square.
    """
    width, height = size
    scale = side / max(size)
    pad_x, pad_y = max(height - width, 0) * scale, max(width - height, 0) * scale
    offset = np.array([pad_x // 2, pad_y // 2] * 2)
    stretch = np.array([width / (side - pad_x), height / (side - pad_y)] * 2)
    return ((boxes_xyxy - offset) * stretch).astype(np.float32)


def letterboxed(image: np.ndarray, side: int) -> np.ndarray:
    """AlphaPose's way: image (H, W, 3) uint8 BGR, scaled with cubic splines, grey strips; (side, side, 3) uint8 RGB."""
    height, width = image.shape[:2]
    scale = min(side / width, side / height)
    new_width, new_height = int(width * scale), int(height * scale)
    left, top = (side - new_width) // 2, (side - new_height) // 2
    square = np.full((side, side, 3), GREY, np.uint8)
    scaled = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_CUBIC)
    square[top : top + new_height, left : left + new_width] = scaled[..., ::-1]
    return square


def from_letterboxed(boxes_xyxy: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes (N, 4) px of the square as px of the picture of (width, height) px, cut off at its edges."""
    scale = min(side / size[0], side / size[1])
    offset = (side - scale * np.array(size)) / 2
    found = (boxes_xyxy - np.tile(offset, 2)) / scale
    return np.clip(found, 0, np.tile(np.array(size, float), 2)).astype(np.float32)
