"""How sure POCO is of a pose, from the variance that it gives for each joint's turn.

Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from remi_stream.skeletons import SMPL_PARENTS

Variant = Literal["poco_cliff", "poco_pare"]
LOST: dict[Variant, float] = {"poco_cliff": 0.8, "poco_pare": 0.4}
"""Above this variance of the pelvis nothing is known about anybody there."""


def accumulated(variance: np.ndarray) -> np.ndarray:
    """Each joint's variance with that of all joints above it, (..., 24); variance: (..., 24), each joint's own."""
    total = np.array(variance)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        total[..., joint] += total[..., parent]
    return total


def lost(variance: np.ndarray, variant: Variant) -> np.ndarray:
    """The variances (..., 24), all 1 for who is lost."""
    return np.where(variance[..., :1] > LOST[variant], np.ones_like(variance), variance)


def of_person(variance: np.ndarray, variant: Variant) -> np.ndarray:
    """One variance (...) for a whole person, from (..., 24): the pelvis's for CLIFF, the mean of all for PARE, 1 if lost."""
    known = lost(variance, variant)
    return known[..., 0] if variant == "poco_cliff" else known.mean(-1)


def confidence(variance: np.ndarray) -> np.ndarray:
    """1 - variance, (..., 24): as published, so below 0 where variances of more than 1 have been accumulated."""
    return 1 - variance
