"""Confidence of fitted joints."""

from __future__ import annotations

import numpy as np

from remi_stream.body.fit.confidence import fit_confidence
from remi_stream.body.ik.solver import joint_confidence

SPREADS = np.full(24, 0.2)


def seen(visibility: float) -> np.ndarray:
    return joint_confidence(np.full(33, visibility), np.ones(4))


def test_unseen_joints_have_hardly_any_confidence_and_toes_none() -> None:
    clear, dim, dark = (fit_confidence(seen(visibility), SPREADS) for visibility in (1.0, 0.1, 0.0))
    fitted = clear > 0
    assert fitted.sum() == 20
    assert (dim[fitted] < 0.3).all()
    assert not dark.any()


def test_joint_whose_prior_is_wide_is_less_sure() -> None:
    near, far = fit_confidence(seen(1), SPREADS), fit_confidence(seen(1), 4 * SPREADS)
    assert (far <= near).all()
    assert far[16] < 0.6 * near[16]
