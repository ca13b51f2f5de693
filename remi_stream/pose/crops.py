"""Upright crops of people, as AlphaPose cuts them: the box grown to 3:4, then by a quarter, and scaled to 192 x 256 px."""

from __future__ import annotations

import cv2
import numpy as np

WIDTH, HEIGHT = 192, 256
ROOM = 1.25
"""How much larger the crop is than the box."""


def grown(boxes_xyxy: np.ndarray) -> np.ndarray:
    """The crops' middles and sizes (N, 4) float32 px, cx cy w h, for boxes (N, 4) px: the short side grows to 3:4."""
    boxes = boxes_xyxy.astype(np.float32)
    sides = boxes[:, 2:] - boxes[:, :2]
    middles = boxes[:, :2] + sides * np.float32(0.5)
    width = np.maximum(sides[:, 0], sides[:, 1] * np.float32(WIDTH / HEIGHT)) * np.float32(ROOM)
    return np.concatenate([middles, width[:, None], width[:, None] * np.float32(HEIGHT / WIDTH)], 1)


def boxes_of(crops: np.ndarray) -> np.ndarray:
    """The boxes (N, 4) float64 px, x0 y0 x1 y1, of crops (N, 4) cx cy w h."""
    middles, halves = crops[:, :2].astype(float), crops[:, 2:].astype(float) / 2
    return np.concatenate([middles - halves, middles + halves], 1)


def crop_from_picture(crop: np.ndarray) -> np.ndarray:
    """Map picture px to crop px, (2, 3) float64, for a crop (4,) cx cy w h.

    From the middle, the point half a width above it and the one beside both, as float32: the same numbers as AlphaPose's.
    """
    x, y, half = float(crop[0]), float(crop[1]), float(crop[2]) / 2
    there = np.array([[x, y], [x, y - half], [x - half, y - half]], np.float32)
    middle = (WIDTH / 2, HEIGHT / 2)
    here = np.array([middle, (middle[0], middle[1] - WIDTH / 2), (0, middle[1] - WIDTH / 2)], np.float32)
    affine: np.ndarray = cv2.getAffineTransform(there, here)
    return affine


def cut(image: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """Cut crops (N, 4) cx cy w h out of image (H, W, 3) uint8 BGR: (N, 256, 192, 3) uint8 RGB; black outside of the picture."""
    pictures = np.empty((len(crops), HEIGHT, WIDTH, 3), np.uint8)
    for crop, picture in zip(crops, pictures):
        cut_into(picture, image, crop)
    return pictures


def cut_into(picture: np.ndarray, image: np.ndarray, crop: np.ndarray) -> None:
    """Cut one crop (4,) cx cy w h of image (H, W, 3) uint8 BGR into picture (256, 192, 3) uint8 RGB."""
    found = cv2.warpAffine(image, crop_from_picture(crop), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=picture)
