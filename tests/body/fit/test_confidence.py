"""Confidence of fitted joints."""

from __future__ import annotations

import numpy as np

from remi_stream.body.fit.confidence import fit_confidence
from remi_stream.body.ik.solver import joint_confidence
from remi_stream.geometry import matrices_from_axis_angle

STILL = np.tile(np.eye(3), (24, 1, 1))


def seen(visibility: float) -> np.ndarray:
    return joint_confidence(np.full(33, visibility), np.ones(4))


def test_unseen_joints_have_hardly_any_confidence_and_toes_none() -> None:
    clear, dim, dark = (fit_confidence(seen(visibility), STILL, STILL) for visibility in (1.0, 0.1, 0.0))
    fitted = clear > 0
    assert fitted.sum() == 20
    assert (dim[fitted] < 0.3).all()
    assert not dark.any()


def test_joint_that_the_fit_turned_far_is_less_sure() -> None:
    turned = matrices_from_axis_angle(np.tile([0, np.radians(70), 0], (24, 1)))
    near, far = fit_confidence(seen(1), STILL, STILL), fit_confidence(seen(1), STILL, turned)
    assert (far <= near).all()
    assert far[1] < 0.6 * near[1]
