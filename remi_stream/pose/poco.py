"""POCO engine: SMPL regression with an uncertainty per joint; POCO-CLIFF also takes the crop's position in the image.

Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024).
"""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import numpy as np

from remi_stream.body.retarget import retargeter_to_known_body
from remi_stream.models.manifest import Manifest
from remi_stream.networks.network import find_network
from remi_stream.pose.regressor import PoseConfidence, RegressorOptions, RegressorOutputs, SmplRegressor
from remi_stream.pose.uncertainty import (
    PocoVariant,
    accumulate_variance,
    confidence_from_variance,
    mask_unreliable,
    person_variance,
)
from remi_stream.runtimes.runtime import load_model

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
