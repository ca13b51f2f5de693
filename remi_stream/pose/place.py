"""Crop rectangle of a person: from a bounding box, cropping, and mapping key points back to the full image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.pose.square import crop_affine, warp_crop


class CropRect(NamedTuple):
    """A crop's axis-aligned rectangle in the full image."""

    center_px: np.ndarray
    """(2,) float64 px: centre."""
    size_px: np.ndarray
    """(2,) float64 px: width, height."""


def crop_rect(box_xyxy: np.ndarray, size: tuple[int, int], scale: float) -> CropRect:
    """Return the crop around a box (4,) px: the short side padded to the aspect ratio of size (width, height), then scaled."""
    box = box_xyxy.astype(float)
    aspect = np.array(size) / size[0]
    width = max(float(((box[2:] - box[:2]) / aspect).max()), 1.0)
    return CropRect((box[:2] + box[2:]) / 2, width * aspect * scale)


def crop_bgr(image: np.ndarray, rect: CropRect, size: tuple[int, int]) -> np.ndarray:
    """Resample the crop (height, width, 3) uint8 BGR of image (H, W, 3): bilinear, black outside the image."""
    (x, y), (width, height) = rect.center_px, rect.size_px
    return warp_crop(image, crop_affine((x, y), (width, height), size), size)


def crop_to_image(points: np.ndarray, rect: CropRect) -> np.ndarray:
    """Map points (K, 2), fractions of a crop, to px of the full image."""
    return rect.center_px + (points - 0.5) * rect.size_px


def inside_image_scores(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return scores (K,) float32 for a network without any: 1 for key points (K, 2) px inside image (H, W, 3), 0 outside."""
    last = np.array(image.shape[1::-1]) - 1
    within = np.logical_and(points >= 0, points <= last)
    return np.logical_and(within[:, 0], within[:, 1]).astype(np.float32)
