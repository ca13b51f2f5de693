"""Backgrounds, flat occluders, and the faults of cameras: noise, blur, darkness, low resolution."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NOISE_SAMPLES = 12


def background(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Draw a background (H, W, 3) uint8 BGR: cloudy walls and floor, random shapes."""
    height = size[1]
    picture = cloudy(rng, size, rng.uniform(2, 20))
    if rng.random() < 0.75:
        edge = int(height * rng.uniform(0.35, 0.95))
        picture[edge:] = cloudy(rng, size, rng.uniform(2, 30))[edge:]
    for _ in range(rng.integers(0, 22)):
        draw_shape(rng, picture)
    blurred: Array = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.5))
    return blurred


def cloudy(rng: np.random.Generator, size: tuple[int, int], cells: float) -> Array:
    """Return a picture (H, W, 3) uint8 of two colours blended by fractal noise of about cells x cells."""
    width, height = size
    total, amplitude = np.zeros((height, width), np.float32), 1.0
    for octave in range(4):
        count = max(2, int(cells * 2**octave))
        grid = rng.random((count * height // max(size) + 2, count + 2), np.float32)
        total += amplitude * cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
        amplitude *= 0.55
    share = ((total - total.min()) / max(float(np.ptp(total)), 1e-6))[..., None]
    return (any_colour(rng) * (1 - share) + any_colour(rng) * share).astype(np.uint8)


def any_colour(rng: np.random.Generator) -> Array:
    """Return a colour (3,), 0 to 255."""
    return rng.integers(0, 256, 3) * rng.choice([0.4, 0.8, 1.0])


def draw_shape(rng: np.random.Generator, picture: Array) -> None:
    """Draw a rectangle, an ellipse or a line into a picture, in place."""
    height, width = picture.shape[:2]
    x, y = int(rng.integers(width)), int(rng.integers(height))
    a, b = (int(side) + 2 for side in rng.random(2) * (width, height) * 0.3)
    colour, kind = any_colour(rng).tolist(), rng.random()
    if kind < 0.6:
        cv2.rectangle(picture, (x, y), (x + a, y + b), colour, -1 if rng.random() < 0.8 else 2)
    elif kind < 0.8:
        cv2.ellipse(picture, (x, y), (a // 2, b // 2), rng.uniform(0, 180), 0, 360, colour, -1)
    else:
        cv2.line(picture, (x, y), (int(rng.integers(width)), int(rng.integers(height))), colour, int(rng.integers(1, 6)))


class Cover(NamedTuple):
    """A flat rectangle in front of everything, still or passing by."""

    center: Array
    """(2,) px at the first frame."""
    half: Array
    """(2,) px."""
    speed: Array
    """(2,) px per frame."""
    colour: Array

    def draw(self, picture: Array, frame: int) -> None:
        """Draw it into a picture, in place."""
        low, high = self.center + frame * self.speed - self.half, self.center + frame * self.speed + self.half
        height, width = picture.shape[:2]
        (x0, y0), (x1, y1) = np.clip(low, 0, (width, height)).astype(int), np.clip(high, 0, (width, height)).astype(int)
        picture[y0:y1, x0:x1] = self.colour


def random_cover(rng: np.random.Generator, size: tuple[int, int]) -> Cover:
    """Return a rectangle in the lower two thirds; a third of them moves."""
    width, height = size
    center = np.array([rng.uniform(0, width), height * rng.uniform(0.3, 1)])
    half = np.array([width * rng.uniform(0.05, 0.35), height * rng.uniform(0.1, 0.5)]) / 2
    speed = np.array([rng.normal(0, 0.012) * width, 0.0]) if rng.random() < 0.33 else np.zeros(2)
    return Cover(center, half, speed, any_colour(rng))


class Faults(NamedTuple):
    """A camera's faults."""

    gain: float
    gamma: float
    noise: float
    """Standard deviation, of 255."""
    blur_px: float
    tint: Array
    """(3,)."""
    resolution: float
    """Share of the crop's pixels a side that the picture has."""


def random_faults(rng: np.random.Generator) -> Faults:
    """Return the faults of a camera: 15 % are dark, a quarter has a low resolution."""
    return Faults(
        gain=float(np.exp(rng.normal(0, 0.25))) if rng.random() < 0.85 else rng.uniform(0.08, 0.3),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        noise=abs(rng.normal(0, 5)) if rng.random() < 0.6 else abs(rng.normal(0, 14)),
        blur_px=max(0.0, rng.normal(0, 0.6)),
        tint=np.exp(rng.normal(0, 0.06, 3)),
        resolution=rng.uniform(0.35, 0.8) if rng.random() < 0.25 else 1.0,
    )


class Camera:
    """Applies faults to crops; noise is drawn once, since drawing it anew would cost as much as the landmark network."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.noise = np.random.default_rng(1).standard_normal((NOISE_SAMPLES, side, side, 3), np.float32)

    def expose(self, rng: np.random.Generator, crop: Array, faults: Faults) -> Array:
        """Return a crop (side, side, 3) uint8 as a camera with faults sees it."""
        picture: Array = crop.astype(np.float32)
        if faults.resolution < 1:
            small = max(24, int(self.side * faults.resolution))
            picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
            picture = cv2.resize(picture, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        elif faults.blur_px > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), faults.blur_px)
        picture = 255 * np.clip(picture * (faults.gain * faults.tint.astype(np.float32)) / 255, 0, 1) ** faults.gamma
        if faults.noise > 1:
            sample = np.roll(self.noise[rng.integers(NOISE_SAMPLES)], int(rng.integers(self.side)), 0)
            picture = picture + sample[:, :: (1 if rng.random() < 0.5 else -1)] * faults.noise
        return np.clip(picture, 0, 255).astype(np.uint8)
