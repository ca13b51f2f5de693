"""Direction vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from open_body.mesh import unit

Array = NDArray[Any]


def across(vectors: Array, axis: Array) -> Array:
    """Component of vectors (..., 3) orthogonal to a unit axis (..., 3), normalised."""
    return unit(vectors - (vectors * axis).sum(-1, keepdims=True) * axis)


def heading(yaw: Array) -> Array:
    """Horizontal unit vectors (N, 3) of yaw angles (N,), degrees; 0 is towards the camera."""
    return np.c_[np.sin(np.radians(yaw)), np.zeros(len(yaw)), np.cos(np.radians(yaw))]
