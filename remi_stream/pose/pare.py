"""PARE engine: SMPL regression with part attention, which is robust to occlusion.

Kocabas et al., "PARE: Part attention regressor for 3D human body estimation" (2021).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from remi_stream.body.retarget import onto_known_body
from remi_stream.models.manifest import Manifest
from remi_stream.pose.regressor import Look, Outputs, Regressor, Trust
from remi_stream.runtimes.runtime import load_weights

CELLS = 56 * 56
"""Cells of a part's attention map; they sum to 1."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Regressor:
    """Load the network."""
    options = Look(settings.pop("box_scale"), settings.pop("least_score"), sees_place=False)
    native = no_more if settings.pop("native") else None
    network = load_weights(manifest.weights[0], runtime, **settings)
    return Regressor(manifest.name, network, trust, options, onto_known_body("smpl"), native)


def no_more(outputs: Outputs) -> dict[str, np.ndarray]:
    """Return no native outputs beyond the regressor's: PARE has no uncertainty."""
    return {}


def trust(outputs: Outputs) -> Trust:
    """Joint confidence from the concentration of the part's attention map: 1 + ln(peak) / ln(number of cells).

    It is the min-entropy, scaled: 0 for uniform attention (the part is not located), 1 for all attention in one cell. PARE
    itself gives no uncertainty. The person's score is the mean.
    """
    peaks = np.clip(outputs["part_attention"].astype(np.float64), 1 / CELLS, 1)
    joints = (1 + np.log(peaks) / math.log(CELLS)).astype(np.float32)
    return Trust(float(joints.mean()), joints)
