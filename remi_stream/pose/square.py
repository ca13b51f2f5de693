"""Square crops of mesh regressors: from a bounding box, affine transform, resampling, and CLIFF's bbox_info."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.runtimes.runtime import CropFunction, GpuRuntime, Runtime

MIN_SQUARE_PX = 1.0
"""Least side, so that the affine transform is never singular."""


class SquareCrop(NamedTuple):
    """A square crop in px of the full image."""

    x: float
    """Centre."""
    y: float
    """Centre."""
    side: float
    """Side."""


def square_crop(box_xyxy: np.ndarray, scale: float) -> SquareCrop:
    """Return the square around a box (4,) px: its longer side times scale."""
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    return SquareCrop((x0 + x1) / 2, (y0 + y1) / 2, max((x1 - x0) * scale, (y1 - y0) * scale, MIN_SQUARE_PX))


def square_crop_affine(square: SquareCrop, side: int) -> np.ndarray:
    """Return the affine transform (2, 3) float64 from image px to px of a square crop."""
    return crop_affine((square.x, square.y), (square.side, square.side), (side, side))


def crop_affine(center: tuple[float, float], rect_size: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Return the affine transform (2, 3) float64 from image px to crop px.

    It maps the rectangle's centre, right edge and lower edge to the crop's. center, rect_size: (x, y) and (width, height) px of the
    rectangle. size: (width, height) px of the crop; another aspect ratio is stretched. The points are rounded to float32, as
    in the published demos, so that the crops are bit-identical to theirs.
    """
    (x, y), (width, height), (crop_width, crop_height) = center, rect_size, size
    source = np.array([[x, y], [x, y + height / 2], [x + width / 2, y]], np.float32)
    middle_x, middle_y = crop_width / 2, crop_height / 2
    target = np.array([[middle_x, middle_y], [middle_x, crop_height], [crop_width, middle_y]], np.float32)
    affine: np.ndarray = cv2.getAffineTransform(source, target)
    return affine


def warp_crop(image: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resample a crop (height, width, 3) uint8 of image (H, W, 3) uint8, same channels: bilinear, black outside the image."""
    crop: np.ndarray = cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR)
    return crop


def warp_square_crop(image: np.ndarray, square: SquareCrop, side: int) -> np.ndarray:
    """Resample a square crop (side, side, 3) uint8 RGB of image (H, W, 3) uint8 BGR."""
    found: np.ndarray = warp_crops([image], square_crop_affine(square, side)[None], (side, side))[0]
    return found


def warp_crops(images: Sequence[np.ndarray], affines: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resample crops (B, height, width, 3) uint8 RGB, each from its own image (H, W, 3) uint8 BGR; affines: (B, 2, 3)."""
    crops = np.empty((len(images), size[1], size[0], 3), np.uint8)
    for crop, image, affine in zip(crops, images, affines):
        cv2.cvtColor(warp_crop(image, affine, size), cv2.COLOR_BGR2RGB, dst=crop)
    return crops


def crop_function(network: Runtime) -> CropFunction:
    """Return the function that resamples a network's crops: on its GPU if it can, else OpenCV; the bytes are the same."""
    return network.crop if isinstance(network, GpuRuntime) else warp_crops


def cliff_bbox_info(square: SquareCrop, intrinsics: Intrinsics) -> np.ndarray:
    """Return CLIFF's bbox_info (3,) float32: the square's centre and side over the focal length, about unit variance.

    Li et al., "CLIFF: Carrying Location Information in Full Frames" (2022).
    """
    focal, _, cx, cy = intrinsics
    middle = ((square.x - cx) / focal * 2.8, (square.y - cy) / focal * 2.8)
    return np.array([*middle, (square.side - 0.24 * focal) / (0.06 * focal)], np.float32)
