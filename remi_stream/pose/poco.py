"""POCO engine: SMPL regression with an uncertainty per joint; POCO-CLIFF also takes the crop's position in the image.

Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024).
"""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import numpy as np

from remi_stream.body.retarget import onto_known_body
from remi_stream.models.manifest import Manifest
from remi_stream.networks.network import find_network
from remi_stream.pose.regressor import Look, Outputs, Regressor, Trust
from remi_stream.pose.uncertainty import Variant, accumulated, confidence, lost, of_person
from remi_stream.runtimes.runtime import load_weights

VAR, VAR_GLOBAL = "var", "var_global"
"""Keys in `Person.native`, POCO's own names."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Regressor:
    """Load the variant of the manifest's weights."""
    weights = manifest.weights[0]
    has_bbox_info = "bbox_info" in find_network(weights.network).inputs
    options = Look(settings.pop("box_scale"), settings.pop("least_score"), has_bbox_info)
    native = partial(uncertainty, variant=variant_of(weights.network)) if settings.pop("native") else None
    network = load_weights(weights, runtime, **settings)
    return Regressor(manifest.name, network, trust, options, onto_known_body("smpl"), native)


def variant_of(network: str) -> Variant:
    """Return the variant of POCO that a network is."""
    return next(variant for variant in get_args(Variant) if variant == network)


def uncertainty(outputs: Outputs, variant: Variant) -> dict[str, np.ndarray]:
    """Return POCO's native outputs: var (24,), accumulated, all 1 for an unreliable person; var_global (1,), of the person."""
    variance = accumulated(outputs["joint_variance"].astype(np.float32))
    return {VAR: lost(variance, variant), VAR_GLOBAL: np.array([of_person(variance, variant)], np.float32)}


def trust(outputs: Outputs) -> Trust:
    """Joint confidence: 1 - the accumulated variance of a joint and its ancestors, not below 0.

    The person's score is 1 - the pelvis's variance, on which POCO's own summary is based.
    """
    variance = outputs["joint_variance"]
    joints = np.clip(confidence(accumulated(variance)), 0, 1).astype(np.float32)
    return Trust(float(np.clip(1 - variance[0], 0, 1)), joints)
