"""Directions in space, many at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from open_body.mesh import unit

Array = NDArray[Any]


def across(vectors: Array, axis: Array) -> Array:
    """The part of vectors (..., 3) that is square to a unit axis (..., 3), at length 1."""
    return unit(vectors - (vectors * axis).sum(-1, keepdims=True) * axis)


def heading(yaw: Array) -> Array:
    """The level direction (N, 3) that yaw degrees (N,) face; 0 is towards the camera."""
    return np.c_[np.sin(np.radians(yaw)), np.zeros(len(yaw)), np.cos(np.radians(yaw))]
