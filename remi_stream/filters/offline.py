"""The one-euro filter of PARE and POCO for whole tracks: every entry of the rotation matrices by itself.

It differs from the live one in all that: one frame is one unit of time, each number has its own speed, and the smoothed
matrices are no rotations any more (a share of an entry's change is left out, whatever the other entries do).
"""

from __future__ import annotations

import numpy as np

from remi_stream.filters.low_pass import gain

MIN_CUTOFF, BETA, D_CUTOFF = 0.004, 0.7, 1.0
"""Per frame. Their commands set beta to 1.0 (PARE) and 1.5 (POCO)."""


def smooth_rotations(matrices: np.ndarray, min_cutoff: float = MIN_CUTOFF, beta: float = BETA) -> np.ndarray:
    """Smoothed matrices (F, 24, 3, 3), of the same type."""
    smoothed = matrices.copy()
    speed = np.zeros_like(matrices[:1])[0] if len(matrices) else None
    for k in range(1, len(matrices)):
        step = matrices[k] - smoothed[k - 1]
        speed = speed + gain(1.0, D_CUTOFF) * (step - speed)
        smoothed[k] = smoothed[k - 1] + gain(1.0, min_cutoff + beta * np.abs(speed)) * step
    return smoothed
