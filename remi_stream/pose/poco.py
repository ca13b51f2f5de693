"""POCO: SMPL with an uncertainty for each joint; POCO-CLIFF also looks at where in the picture somebody is.

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
"""In `Person.native`."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> Regressor:
    """Load the variant that the manifest's weights are of."""
    weights = manifest.weights[0]
    sees_place = "bbox_info" in find_network(weights.network).inputs
    look = Look(settings.pop("box_scale"), settings.pop("least_score"), sees_place)
    native = partial(uncertainty, variant=variant_of(weights.network)) if settings.pop("native") else None
    network = load_weights(weights, runtime, **settings)
    return Regressor(manifest.name, network, trust, look, onto_known_body("smpl"), native)


def variant_of(network: str) -> Variant:
    """Which of POCO's networks one is."""
    return next(variant for variant in get_args(Variant) if variant == network)


def uncertainty(outputs: Outputs, variant: Variant) -> dict[str, np.ndarray]:
    """POCO's own: var (24,) with the joints above each, all 1 for who is lost; var_global (1,), of the whole person."""
    variance = accumulated(outputs["joint_variance"].astype(np.float32))
    return {VAR: lost(variance, variant), VAR_GLOBAL: np.array([of_person(variance, variant)], np.float32)}


def trust(outputs: Outputs) -> Trust:
    """Joint confidence: 1 - the variances of a joint and of all joints above it, summed, not below 0.

    The person's score is 1 - the pelvis's variance, on which POCO's own summary rests.
    """
    variance = outputs["joint_variance"]
    joints = np.clip(confidence(accumulated(variance)), 0, 1).astype(np.float32)
    return Trust(float(np.clip(1 - variance[0], 0, 1)), joints)
