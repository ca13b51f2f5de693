"""Periodic curves: everything that moves is made of them, so that the clip loops without a seam."""

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
    """A periodic curve through the keys, (FRAMES,): monotone between them, so that a held value is held."""
    times, values = np.array(keys).T
    period = FRAMES / FPS
    curve = PchipInterpolator(np.concatenate([times - period, times, times + period]), np.concatenate([values, values, values]))
    return smooth(curve(SECONDS), 3)


def smooth(values: Array, frames: float) -> Array:
    """values (FRAMES, ...) blurred in time, round the loop."""
    return gaussian_filter1d(values, frames, axis=0, mode="wrap")


def since(moment: float) -> Array:
    """Seconds since a moment, (FRAMES,), the short way round the loop: negative before it."""
    half = FRAMES / FPS / 2
    return (SECONDS - moment + half) % (2 * half) - half


def ease(share: Array) -> Array:
    """0 before 0, 1 after 1, and between them a step without a jump in speed or acceleration."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def hump(share: Array) -> Array:
    """0 outside 0..1, and between them one smooth hump of height 1."""
    return ease(2 * share) * ease(2 - 2 * share)


def wave_of(cycles: int) -> Array:
    """A sine with so many cycles in the loop, (FRAMES,)."""
    return np.sin(2 * math.pi * cycles * np.arange(FRAMES) / FRAMES)
