"""PARE: SMPL by attention to each part of the body.

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
"""Of a part's attention map; they sum to 1."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Regressor:
    """Load the network."""
    look = Look(settings.pop("box_scale"), settings.pop("least_score"), sees_place=False)
    native = no_more if settings.pop("native") else None
    network = load_weights(manifest.weights[0], runtime, **settings)
    return Regressor(manifest.name, network, trust, look, onto_known_body("smpl"), native)


def no_more(outputs: Outputs) -> dict[str, np.ndarray]:
    """Nothing beside what every regressor tells: PARE has no uncertainty of its own."""
    return {}


def trust(outputs: Outputs) -> Trust:
    """Joint confidence: how much the part's attention is drawn together, 1 + ln(peak) / ln(number of cells).

    It is 0 for attention that is spread evenly, since the part is found nowhere, and 1 for all of it in one cell: the map's
    min-entropy, on a scale from its largest value to 0. PARE has no uncertainty of its own. The person's score is the mean.
    """
    peaks = np.clip(outputs["part_attention"].astype(np.float64), 1 / CELLS, 1)
    joints = (1 + np.log(peaks) / math.log(CELLS)).astype(np.float32)
    return Trust(float(joints.mean()), joints)
