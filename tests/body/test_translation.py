from __future__ import annotations

import numpy as np
import pytest

from remi_stream.body.smpl import fit_translation
from remi_stream.geometry import default_intrinsics, project

CAMERA = default_intrinsics(1280, 720)
POINTS = np.random.default_rng(3).uniform(-0.6, 0.6, (12, 3))


@pytest.mark.parametrize("where", [(0, 0, 2.5), (1.5, -0.4, 4), (-3, 1, 12)])
def test_translation_is_recovered_exactly(where: tuple[float, float, float]) -> None:
    found = fit_translation(POINTS, project(POINTS + where, CAMERA), np.ones(12), CAMERA)
    np.testing.assert_allclose(found, where, atol=1e-4)


def test_point_without_weight_is_ignored() -> None:
    pixels = project(POINTS + [0.5, 0.2, 4.0], CAMERA)
    pixels[3] += 400
    weights = np.ones(12)
    weights[3] = 0
    np.testing.assert_allclose(fit_translation(POINTS, pixels, weights, CAMERA), [0.5, 0.2, 4.0], atol=1e-5)


def test_pixel_noise_moves_a_person_little() -> None:
    noise = np.random.default_rng(4).normal(0, 2, (12, 2))
    found = fit_translation(POINTS, project(POINTS + [0, 0, 4.0], CAMERA) + noise, np.ones(12), CAMERA)
    assert np.abs(found - [0, 0, 4.0])[:2].max() < 0.02
    assert abs(found[2] - 4) < 0.1
