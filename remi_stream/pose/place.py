"""Where a person's crop is in the full picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.pose.square import crop_from_picture, cut


class Place(NamedTuple):
    """middle and sides: (2,) float64, px of the full picture."""

    middle: np.ndarray
    sides: np.ndarray


def place_of(box_xyxy: np.ndarray, size: tuple[int, int], scale: float) -> Place:
    """The crop around a box (4,) px: the short side grows to the proportions of size (width, height), then both by scale."""
    box = box_xyxy.astype(float)
    proportions = np.array(size) / size[0]
    width = max(float(((box[2:] - box[:2]) / proportions).max()), 1.0)
    return Place((box[:2] + box[2:]) / 2, width * proportions * scale)


def cut_bgr(image: np.ndarray, place: Place, size: tuple[int, int]) -> np.ndarray:
    """The crop (height, width, 3) uint8 BGR of image (H, W, 3): bilinear, black outside of it."""
    (x, y), (width, height) = place.middle, place.sides
    return cut(image, crop_from_picture((x, y), (width, height), size), size)


def in_picture(points: np.ndarray, place: Place) -> np.ndarray:
    """Fractions (K, 2) of a crop in px of the full picture."""
    return place.middle + (points - 0.5) * place.sides


def inside(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Scores (K,) float32 of key points (K, 2) px from a network that gives none: 1 in image (H, W, 3), 0 outside."""
    last = np.array(image.shape[1::-1]) - 1
    within = np.logical_and(points >= 0, points <= last)
    return np.logical_and(within[:, 0], within[:, 1]).astype(np.float32)
