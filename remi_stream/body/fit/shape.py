"""Betas of a track: each frame's evidence is added to what earlier frames have shown (recursive least squares)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.fit.landmark_model import BETA_COUNT

STATURE_SPREAD, BETA_SPREAD = 0.25, 0.8
"""Standard deviations of the first beta and of the others before anything is seen. The first is stature, which one camera does
not separate from distance: the network's metric size has a correlation of 0.05 with the true one (measured). It stays near 0."""
FIRST_SHARE, FRAME_SHARE_PER_S = 0.3, 1.5
"""Share of the first frame's evidence that counts, and of the later ones', per second: their errors are alike."""
MEMORY_S = 10.0
"""Time in which old evidence fades to a third, so that the shape is never frozen."""
MAX_BETA_RATE = 1.0
"""Largest change of a beta per second: the body does not visibly breathe."""
MAX_BETA = 2.5
"""Largest absolute beta: beyond it the shape space is not people's."""


class ShapeEvidence(NamedTuple):
    """What one frame says of the betas, with the pose's freedom taken out: a quadratic around the betas it was made with."""

    information: np.ndarray
    """(10, 10)."""
    slope: np.ndarray
    """(10,): gradient of half the squared residuals."""


class ShapeEstimate(NamedTuple):
    """Betas of a track."""

    betas: np.ndarray
    """(10,)."""
    information: np.ndarray
    """(10, 10): of the frames seen, without the prior's."""


PRIOR_INFORMATION = np.diag(1 / np.array([STATURE_SPREAD] + [BETA_SPREAD] * (BETA_COUNT - 1)) ** 2)
UNKNOWN_SHAPE = ShapeEstimate(np.zeros(BETA_COUNT), np.zeros((BETA_COUNT, BETA_COUNT)))
"""The mean shape, before anything is seen."""


def update_shape(shape: ShapeEstimate, evidence: ShapeEvidence, elapsed: float) -> ShapeEstimate:
    """Add the evidence of a frame that came elapsed seconds after the last one; 0: the first frame of a track."""
    share = min(FRAME_SHARE_PER_S * elapsed, 1.0) if elapsed else FIRST_SHARE
    known = shape.information * np.exp(-elapsed / MEMORY_S) + share * evidence.information
    total = known + PRIOR_INFORMATION
    # the earlier frames' evidence is at its optimum at the present betas, so only this frame and the prior pull
    pull = share * evidence.slope + (1 - np.exp(-elapsed / MEMORY_S) if elapsed else 1.0) * (PRIOR_INFORMATION @ shape.betas)
    step = -np.linalg.solve(total, pull)
    if elapsed:
        step = np.clip(step, -MAX_BETA_RATE * elapsed, MAX_BETA_RATE * elapsed)
    return ShapeEstimate(np.clip(shape.betas + step, -MAX_BETA, MAX_BETA), known)
