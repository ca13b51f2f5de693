"""Periodic curves, from which all motion is made, so that the clip loops seamlessly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

Array = NDArray[Any]

FPS, FRAMES = 30, 240
SECONDS = np.arange(FRAMES) / FPS


def channel(keys: Sequence[tuple[float, float]]) -> Array:
    """Interpolate key frames periodically, (FRAMES,): monotone between keys (PCHIP), so that equal keys hold the value."""
    times, values = np.array(keys).T
    period = FRAMES / FPS
    curve = PchipInterpolator(np.concatenate([times - period, times, times + period]), np.concatenate([values, values, values]))
    return smooth(curve(SECONDS), 3)


def smooth(values: Array, frames: float) -> Array:
    """Smooth values (FRAMES, ...) in time with a periodic Gaussian."""
    return gaussian_filter1d(values, frames, axis=0, mode="wrap")


def since(moment: float) -> Array:
    """Signed seconds since a moment, (FRAMES,), by the shorter way around the loop."""
    half = FRAMES / FPS / 2
    return (SECONDS - moment + half) % (2 * half) - half


def ease(share: Array) -> Array:
    """Smootherstep: 0 before 0, 1 after 1, with continuous speed and acceleration."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def hump(share: Array) -> Array:
    """Smooth bump of height 1 on 0..1, 0 outside."""
    return ease(2 * share) * ease(2 - 2 * share)


def wave_of(cycles: int) -> Array:
    """Sine with a number of cycles per loop, (FRAMES,)."""
    return np.sin(2 * math.pi * cycles * np.arange(FRAMES) / FRAMES)
