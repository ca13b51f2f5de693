"""Vertex colours of the default body: T-shirt, trousers, shoes, face, hair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from open_body.assets import Assets, J

Array = NDArray[Any]

COLOURS = {
    "skin": (214, 164, 136),
    "shoes": (225, 224, 220),
    "soles": (80, 76, 72),
    "trousers": (58, 60, 70),
    "shirt": (66, 104, 158),
    "hair": (52, 38, 30),
    "brows": (70, 50, 40),
    "lips": (176, 96, 88),
    "eyes": (236, 234, 230),
    "irises": (66, 74, 68),
}
HEM_M = 0.016  # about the edge length of the mesh, so that hems look straight


def dress(assets: Assets, kept: Array, template: Array, regressor: Array, weights: Array) -> Array:
    """Paint a dressed person: (V, 3) uint8 RGB.

    Each layer is a field (V,), approximately the signed distance to its hem, m, positive inside, keyed by colour.
    """
    layers = clothes(template, regressor @ template) | face_and_hair(assets, kept, template, weights)
    colours = np.tile(np.array(COLOURS["skin"], float), (len(template), 1))
    for name, field in layers.items():
        colours += inside(field)[:, None] * (np.array(COLOURS[name]) - colours)
    return np.round(colours).astype(np.uint8)


def inside(field: Array) -> Array:
    """Opacity of a layer at a vertex, 0..1, from its signed distance, m."""
    return np.clip(0.5 + field / HEM_M, 0, 1)


def clothes(skin: Array, joints: Array) -> dict[str, Array]:
    """Layers below the neck for skin (V, 3) and rest joints (24, 3), m, in painting order."""
    x, y, _ = skin.T
    shoulder, elbow = joints[J["left_shoulder"], 0], joints[J["left_elbow"], 0]
    waist, ankle = joints[J["pelvis"], 1] - 0.06, joints[J["left_ankle"], 1]
    collar = (skin - joints[J["neck"]]) @ np.array([0, -0.9, -0.44])
    return {
        "shoes": ankle + 0.045 - y,
        "soles": y.min() + 0.012 - y,
        "trousers": np.minimum(waist + 0.03 - y, y - ankle - 0.025),
        "shirt": np.minimum.reduce([y - waist, shoulder + 0.6 * (elbow - shoulder) - np.abs(x), collar]),
    }


def face_and_hair(assets: Assets, kept: Array, template: Array, weights: Array) -> dict[str, Array]:
    """Layers of the head, in painting order."""
    x, y, z = template.T
    is_eye = np.isin(kept, assets.eyes)
    left_eye = template[is_eye & (x > 0)]
    eye = left_eye.mean(0)
    masks = {part: 0.02 * (mask[kept] - 0.5) for part, mask in assets.masks.items()}
    on_head = np.where((weights[:, J["head"]] + weights[:, J["neck"]] > 0.5) & ~is_eye, 1.0, -1.0)
    crown = (template - [0, eye[1] + 0.065, eye[2]]) @ np.array([0, 0.85, -0.53])
    nape = np.minimum(eye[2] - 0.090 - z, y - eye[1] + 0.060)
    arch = 0.0035 - np.abs(y - eye[1] - 0.021 + 7 * (np.abs(x) - eye[0]) ** 2)
    brows = np.minimum.reduce([arch, 0.022 - np.abs(np.abs(x) - eye[0] - 0.002), z - eye[2], on_head])
    front = np.array([eye[0], eye[1], left_eye[:, 2].max()])
    irises = 0.0075 - np.linalg.norm(np.c_[np.abs(x), y, z] - front, axis=1)
    return {
        "hair": np.minimum.reduce([np.maximum(crown, nape), on_head, -masks["ears"]]),
        "brows": 3 * brows,
        "lips": masks["lips"],
        "eyes": np.where(is_eye, 1.0, -1.0),
        "irises": np.where(is_eye, 3 * irises, -1.0),
    }
