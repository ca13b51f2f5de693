"""PARE's and POCO's offline One-Euro filter: applied to each element of the rotation matrices of a whole track.

Unlike the live filter, its time unit is one frame, each element has its own speed, and the smoothed matrices are no longer
orthonormal.
"""

from __future__ import annotations

import numpy as np

from remi_stream.filters.one_euro import low_pass_gain

MIN_CUTOFF, BETA, D_CUTOFF = 0.004, 0.7, 1.0
"""Per frame. The commands of PARE and POCO set beta to 1.0 and 1.5."""


def smooth_rotations(matrices: np.ndarray, min_cutoff: float = MIN_CUTOFF, beta: float = BETA) -> np.ndarray:
    """Smooth rotation matrices (F, 24, 3, 3); same dtype."""
    smoothed = matrices.copy()
    speed = np.zeros_like(matrices[:1])[0] if len(matrices) else None
    for k in range(1, len(matrices)):
        step = matrices[k] - smoothed[k - 1]
        speed = speed + low_pass_gain(1.0, D_CUTOFF) * (step - speed)
        smoothed[k] = smoothed[k - 1] + low_pass_gain(1.0, min_cutoff + beta * np.abs(speed)) * step
    return smoothed
