"""PARE engine: SMPL regression with part attention, which is robust to occlusion.

Kocabas et al., "PARE: Part attention regressor for 3D human body estimation" (2021).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from remi_stream.body.retarget import retargeter_to_known_body
from remi_stream.models.manifest import Manifest
from remi_stream.pose.regressor import PoseConfidence, RegressorOptions, RegressorOutputs, SmplRegressor
from remi_stream.runtimes.runtime import load_model

ATTENTION_CELLS = 56 * 56
"""Cells of a part's attention map; they sum to 1."""


def open_pare(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> SmplRegressor:
    """Load the network."""
    options = RegressorOptions(settings.pop("box_scale"), settings.pop("least_score"), has_bbox_info=False)
    native = no_native_outputs if settings.pop("native") else None
    network = load_model(manifest.weights[0], runtime, **settings)
    return SmplRegressor(manifest.name, network, pare_confidence, options, retargeter_to_known_body("smpl"), native)


def no_native_outputs(outputs: RegressorOutputs) -> dict[str, np.ndarray]:
    """Return no native outputs beyond the regressor's: PARE has no uncertainty."""
    return {}


def pare_confidence(outputs: RegressorOutputs) -> PoseConfidence:
    """Joint confidence from the concentration of the part's attention map: 1 + ln(peak) / ln(number of cells).

    It is the min-entropy, scaled: 0 for uniform attention (the part is not located), 1 for all attention in one cell. PARE
    itself gives no uncertainty. The person's score is the mean.
    """
    peaks = np.clip(outputs["part_attention"].astype(np.float64), 1 / ATTENTION_CELLS, 1)
    joints = (1 + np.log(peaks) / math.log(ATTENTION_CELLS)).astype(np.float32)
    return PoseConfidence(float(joints.mean()), joints)
