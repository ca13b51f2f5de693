"""PARE's and POCO's offline One-Euro filter: applied to each element of the rotation matrices of a whole track.

Unlike our filter, its time unit is one frame, each element has its own speed, and the smoothed matrices are no longer
orthonormal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.filters.smoothers import low_pass_gain

GROUP = "smooth"
TOLERANCE = 2e-5
PARAMETERS = re.compile(r"smooth\.out\.mc(?P<min_cutoff>[\d.eE+-]+)_beta(?P<beta>[\d.eE+-]+)")

MIN_CUTOFF, BETA, D_CUTOFF = 0.004, 0.7, 1.0
"""Per frame. The commands of PARE and POCO set beta to 1.0 and 1.5."""


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check all outputs; their names contain the parameters."""
    for entry, expected in entries.items():
        if (match := PARAMETERS.fullmatch(entry)) is not None:
            smoothed = smooth_rotations(entries["smooth.in.rotmats"], float(match["min_cutoff"]), float(match["beta"]))
            yield compare(entry, smoothed, expected, TOLERANCE)


def smooth_rotations(matrices: np.ndarray, min_cutoff: float = MIN_CUTOFF, beta: float = BETA) -> np.ndarray:
    """Smooth rotation matrices (F, 24, 3, 3); same dtype."""
    smoothed = matrices.copy()
    speed = np.zeros_like(matrices[:1])[0] if len(matrices) else None
    for k in range(1, len(matrices)):
        step = matrices[k] - smoothed[k - 1]
        speed = speed + low_pass_gain(1.0, D_CUTOFF) * (step - speed)
        smoothed[k] = smoothed[k - 1] + low_pass_gain(1.0, min_cutoff + beta * np.abs(speed)) * step
    return smoothed
