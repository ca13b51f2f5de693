"""AlphaPose's affine crops: the bounding box is padded to 3:4, enlarged by a quarter and resampled to 192 x 256 px."""

from __future__ import annotations

import cv2
import numpy as np

ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT = 192, 256
"""Input size of AlphaPose's networks, px."""
ALPHAPOSE_CROP_SCALE = 1.25
"""Size of the crop in sizes of the box, as in AlphaPose."""


def alphapose_crops(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Expand boxes (N, 4) px to crops (N, 4) float32 px, cx cy w h: the short side grows to the aspect ratio 3:4."""
    # float32 throughout: the same numbers as AlphaPose's
    boxes = boxes_xyxy.astype(np.float32)
    sides = boxes[:, 2:] - boxes[:, :2]
    middles = boxes[:, :2] + sides * np.float32(0.5)
    width = np.maximum(sides[:, 0], sides[:, 1] * np.float32(ALPHAPOSE_WIDTH / ALPHAPOSE_HEIGHT)) * np.float32(
        ALPHAPOSE_CROP_SCALE
    )
    return np.concatenate([middles, width[:, None], width[:, None] * np.float32(ALPHAPOSE_HEIGHT / ALPHAPOSE_WIDTH)], 1)


def boxes_from_crops(crops: np.ndarray) -> np.ndarray:
    """Convert crops (N, 4) cx cy w h to boxes (N, 4) float64 px, x0 y0 x1 y1."""
    middles, halves = crops[:, :2].astype(float), crops[:, 2:].astype(float) / 2
    return np.concatenate([middles - halves, middles + halves], 1)


def alphapose_affine(crop: np.ndarray) -> np.ndarray:
    """Return the affine transform (2, 3) float64 from image px to crop px, for a crop (4,) cx cy w h.

    The three float32 points (middle, half a width above it, top left of it) are AlphaPose's, so that the numbers are equal.
    """
    x, y, half = float(crop[0]), float(crop[1]), float(crop[2]) / 2
    there = np.array([[x, y], [x, y - half], [x - half, y - half]], np.float32)
    middle = (ALPHAPOSE_WIDTH / 2, ALPHAPOSE_HEIGHT / 2)
    here = np.array([middle, (middle[0], middle[1] - ALPHAPOSE_WIDTH / 2), (0, middle[1] - ALPHAPOSE_WIDTH / 2)], np.float32)
    affine: np.ndarray = cv2.getAffineTransform(there, here)
    return affine


def warp_alphapose_crops(image: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """Resample crops (N, 4) cx cy w h of image (H, W, 3) uint8 BGR: (N, 256, 192, 3) uint8 RGB; black outside the image."""
    found = np.empty((len(crops), ALPHAPOSE_HEIGHT, ALPHAPOSE_WIDTH, 3), np.uint8)
    for crop, target in zip(crops, found):
        warp_alphapose_crop(target, image, crop)
    return found


def warp_alphapose_crop(out: np.ndarray, image: np.ndarray, crop: np.ndarray) -> None:
    """Resample one crop (4,) cx cy w h of image (H, W, 3) uint8 BGR into out (256, 192, 3) uint8 RGB."""
    found = cv2.warpAffine(image, alphapose_affine(crop), (ALPHAPOSE_WIDTH, ALPHAPOSE_HEIGHT), flags=cv2.INTER_LINEAR)
    cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=out)
