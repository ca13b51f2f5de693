"""PARE engine: SMPL regression with part attention, which is robust to occlusion.

Kocabas et al., "PARE: Part attention regressor for 3D human body estimation" (2021).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from remi_stream.body.known_bodies import retargeter_to_known_body
from remi_stream.inference.runtime import load_model
from remi_stream.models.manifest import Manifest
from remi_stream.networks.network import find_network
from remi_stream.pose.smpl_regressor.regressor import PoseConfidence, RegressorOptions, RegressorOutputs, SmplRegressor
from remi_stream.skeletons import SMPL_PARENTS

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


# POCO's uncertainty: from the variance of each joint's rotation to joint and person confidence.
#
# Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024).


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


# POCO engine: SMPL regression with an uncertainty per joint; POCO-CLIFF also takes the crop's position in the image.
#
# Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024).


VARIANCE_KEY, PERSON_VARIANCE_KEY = "var", "var_global"
"""Keys in `Person.native`, POCO's own names."""


def open_poco(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> SmplRegressor:
    """Load the variant of the manifest's weights."""
    weights = manifest.weights[0]
    has_bbox_info = "bbox_info" in find_network(weights.network).inputs
    options = RegressorOptions(settings.pop("box_scale"), settings.pop("least_score"), has_bbox_info)
    native = partial(native_uncertainty, variant=poco_variant(weights.network)) if settings.pop("native") else None
    network = load_model(weights, runtime, **settings)
    return SmplRegressor(manifest.name, network, poco_confidence, options, retargeter_to_known_body("smpl"), native)


def poco_variant(network: str) -> PocoVariant:
    """Return the variant of POCO that a network is."""
    return next(variant for variant in get_args(PocoVariant) if variant == network)


def native_uncertainty(outputs: RegressorOutputs, variant: PocoVariant) -> dict[str, np.ndarray]:
    """Return POCO's native outputs: var (24,), accumulated, all 1 for an unreliable person; var_global (1,), of the person."""
    variance = accumulate_variance(outputs["joint_variance"].astype(np.float32))
    return {
        VARIANCE_KEY: mask_unreliable(variance, variant),
        PERSON_VARIANCE_KEY: np.array([person_variance(variance, variant)], np.float32),
    }


def poco_confidence(outputs: RegressorOutputs) -> PoseConfidence:
    """Joint confidence: 1 - the accumulated variance of a joint and its ancestors, not below 0.

    The person's score is 1 - the pelvis's variance, on which POCO's own summary is based.
    """
    variance = outputs["joint_variance"]
    joints = np.clip(confidence_from_variance(accumulate_variance(variance)), 0, 1).astype(np.float32)
    return PoseConfidence(float(np.clip(1 - variance[0], 0, 1)), joints)
