"""POCO's uncertainty: from the variance of each joint's rotation to joint and person confidence.

Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from remi_stream.skeletons import SMPL_PARENTS

PocoVariant = Literal["poco_cliff", "poco_pare"]
"""Names of POCO's networks."""
MAX_PELVIS_VARIANCE: dict[PocoVariant, float] = {"poco_cliff": 0.8, "poco_pare": 0.4}
"""Largest variance of the pelvis; above it the whole pose is unreliable."""


def accumulate_variance(variance: np.ndarray) -> np.ndarray:
    """Accumulate the variance (..., 24) of each joint's rotation along the kinematic chain, from the pelvis outwards."""
    total = np.array(variance)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        total[..., joint] += total[..., parent]
    return total


def mask_unreliable(variance: np.ndarray, variant: PocoVariant) -> np.ndarray:
    """Set the variances (..., 24) of an unreliable person to 1."""
    return np.where(variance[..., :1] > MAX_PELVIS_VARIANCE[variant], np.ones_like(variance), variance)


def person_variance(variance: np.ndarray, variant: PocoVariant) -> np.ndarray:
    """Return a person's variance (...) from (..., 24): the pelvis's for CLIFF, the mean for PARE, 1 if unreliable."""
    masked = mask_unreliable(variance, variant)
    return masked[..., 0] if variant == "poco_cliff" else masked.mean(-1)


def confidence_from_variance(variance: np.ndarray) -> np.ndarray:
    """Return 1 - variance, (..., 24), as published: negative where accumulated variances exceed 1."""
    return 1 - variance
