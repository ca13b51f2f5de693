"""The square of a picture that a mesh regressor looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.runtimes.runtime import Cut, OnGpu, Runtime

SMALLEST_PX = 1.0


class Square(NamedTuple):
    """A square in px of the full picture: its middle, its side."""

    x: float
    y: float
    side: float


def square_around(box_xyxy: np.ndarray, scale: float) -> Square:
    """The square around the middle of a box (4,) px, whose side is the box's longer one times scale."""
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    return Square((x0 + x1) / 2, (y0 + y1) / 2, max((x1 - x0) * scale, (y1 - y0) * scale, SMALLEST_PX))


def crop_from_square(square: Square, side: int) -> np.ndarray:
    """Map picture px to px of a square crop, (2, 3) float64."""
    return crop_from_picture((square.x, square.y), (square.side, square.side), (side, side))


def crop_from_picture(center: tuple[float, float], sides: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Map picture px to crop px, (2, 3) float64: the rectangle's middle to the crop's, its right and lower edge to the crop's.

    center, sides: of the rectangle, (x, y) and (width, height) px. size: (width, height) px of the crop; other proportions are
    stretched. The points are rounded to float32, as in the published demos, so that the crops are theirs to the last bit.
    """
    (x, y), (width, height), (across, down) = center, sides, size
    here = np.array([[x, y], [x, y + height / 2], [x + width / 2, y]], np.float32)
    there = np.array([[across / 2, down / 2], [across / 2, down], [across, down / 2]], np.float32)
    affine: np.ndarray = cv2.getAffineTransform(here, there)
    return affine


def cut(image: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The crop, (height, width, 3) uint8 with image's order of colours: bilinear, black outside of image (H, W, 3) uint8."""
    crop: np.ndarray = cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR)
    return crop


def cut_square(image: np.ndarray, square: Square, side: int) -> np.ndarray:
    """What a network reads: (side, side, 3) uint8 RGB from image (H, W, 3) uint8 BGR."""
    found: np.ndarray = cut_all([image], crop_from_square(square, side)[None], (side, side))[0]
    return found


def cut_all(images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What a network reads, (B, height, width, 3) uint8 RGB, of each crop's picture (H, W, 3) uint8 BGR; affines: (B, 2, 3)."""
    crops = np.empty((len(images), size[1], size[0], 3), np.uint8)
    for crop, image, affine in zip(crops, images, affines):
        cv2.cvtColor(cut(image, affine, size), cv2.COLOR_BGR2RGB, dst=crop)
    return crops


def cut_for(network: Runtime) -> Cut:
    """What cuts the crops that a network reads: its own GPU, or else OpenCV here; the bytes are the same."""
    return network.cut if isinstance(network, OnGpu) else cut_all


def bbox_info(square: Square, intrinsics: Intrinsics) -> np.ndarray:
    """Where the square is in the camera's view, (3,) float32: middle and side over the focal length, about unit variance.

    Li et al., "CLIFF: Carrying Location Information in Full Frames" (2022).
    """
    focal, _, cx, cy = intrinsics
    middle = ((square.x - cx) / focal * 2.8, (square.y - cy) / focal * 2.8)
    return np.array([*middle, (square.side - 0.24 * focal) / (0.06 * focal)], np.float32)
