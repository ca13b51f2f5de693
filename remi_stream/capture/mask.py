"""Privacy masks: polygons that are blackened in each frame."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.errors import RemiError

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y), px of the oriented image."""


def check_mask_corners(camera: str, masks: tuple[Polygon, ...], size: tuple[int, int]) -> None:
    """Raise RemiError unless every corner lies in the oriented image of (width, height) px."""
    for number, polygon in enumerate(masks):
        for x, y in polygon:
            if not (0 <= x <= size[0] and 0 <= y <= size[1]):
                raise RemiError(
                    f"Camera {camera!r}: masks[{number}] has a corner at {x:g}, {y:g}, outside the oriented image "
                    f"of {size[0]}x{size[1]} px. Draw it inside"
                )


def apply_masks(image: np.ndarray, masks: tuple[Polygon, ...]) -> np.ndarray:
    """Copy of an image (H, W, 3) uint8 with the polygons, px, filled black, edges included."""
    image = image.copy()
    for polygon in masks:
        cv2.fillPoly(image, [np.round(np.array(polygon)).astype(np.int32)], (0, 0, 0))
    return image
