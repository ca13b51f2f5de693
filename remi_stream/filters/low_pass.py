"""First-order low-pass filter: the gain of a new value (Casiez et al., "1 Euro Filter", 2012)."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


def low_pass_gain(dt: float, cutoff: Number) -> Number:
    """Weight of the new value, in [0, 1). dt: s since the last value; cutoff: Hz, scalar or array."""
    r = 2 * math.pi * dt * cutoff
    return r / (r + 1)
