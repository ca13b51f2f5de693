"""The first-order low pass that every filter here is made of: how much of the new value goes into the filtered one."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


def gain(dt: float, cutoff: Number) -> Number:
    """The new value's share, in [0, 1): dt: s since the last one; cutoff: Hz, one or an array."""
    r = 2 * math.pi * dt * cutoff
    return r / (r + 1)
