"""Builds a placeholder body in SMPL's layout (6890 vertices, 24 joints) from the default body; contains no SMPL data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from remi_stream.body.smpl import Body, load_default_body
from weights.decimate import decimate_mesh

Array = NDArray[Any]

VERTICES = 6890
CORRECTIVE_M = 0.004
EXTRA = {
    "right hip (LSP)": {2: 1.0},
    "left hip (LSP)": {1: 1.0},
    "neck (LSP)": {12: 0.6, 15: 0.4},
    "head top (LSP)": {15: 1.0},
    "pelvis (MPII)": {0: 0.4, 1: 0.3, 2: 0.3},
    "thorax (MPII)": {12: 0.7, 9: 0.3},
    "spine (H36M)": {3: 0.4, 6: 0.6},
    "jaw (H36M)": {12: 0.4, 15: 0.6},
    "head (H36M)": {15: 1.0},
}
"""Rows of J_regressor_extra.npy as weighted means of SMPL's joints; rows in HEAD_ROWS use the head's vertices."""
HEAD_ROWS = {3: 0.99, 8: 0.6}
"""Rows in the head: share of the head's height."""


def build_figure(seed: int = 1234) -> Body:
    """Decimate the default body and add pose correctives of a few millimetres around each joint."""
    body = load_default_body()
    kept, faces, onto = decimate_mesh(body.v_template, body.faces, VERTICES)
    regressor = np.zeros((24, VERTICES))
    np.add.at(regressor.T, onto, body.joint_regressor.T.astype(np.float64))
    weights = body.skin_weights[kept].astype(np.float64)
    return Body(
        name="smpl",
        v_template=body.v_template[kept].astype(np.float64),
        shapedirs=body.shapedirs[kept].astype(np.float64),
        joint_regressor=regressor / regressor.sum(1, keepdims=True),
        skin_weights=weights / weights.sum(1, keepdims=True),
        faces=faces.astype(np.int32),
        parents=body.parents,
        posedirs=correctives(weights, seed),
    )


def correctives(weights: Array, seed: int) -> Array:
    """Random pose blend shapes (V, 3, 207), m per element of (rotation - identity), near each joint."""
    noise = np.random.default_rng(seed).normal(0, CORRECTIVE_M, (len(weights), 3, 23, 9))
    return (noise * weights[:, None, 1:, None]).reshape(len(weights), 3, 207)


def extra_regressor(figure: Body) -> Array:
    """Make J_regressor_extra.npy: (9, V) float64, non-negative rows that sum to 1."""
    joints = figure.joint_regressor @ figure.v_template
    head = figure.v_template[figure.skin_weights.argmax(1) == 15]
    rows = []
    for index, parts in enumerate(EXTRA.values()):
        target = sum(share * joints[joint] for joint, share in parts.items())
        if index in HEAD_ROWS:
            low, high = head.min(0), head.max(0)
            target = (low + high) / 2 + [0, (HEAD_ROWS[index] - 0.5) * (high[1] - low[1]), 0]
        rows.append(row_for(figure.v_template, np.asarray(target)))
    return np.array(rows)


def row_for(vertices: Array, target: Array) -> Array:
    """Fit non-negative weights (V,) with sum 1 that give target (3,) from the nearest vertices (V, 3)."""
    near = np.argsort(((vertices - target) ** 2).sum(1))[:400]
    system = np.vstack([(vertices[near] - target).T, np.full((1, len(near)), 0.1)])
    fitted, _ = nnls(system, np.array([0, 0, 0, 0.1]))
    row = np.zeros(len(vertices))
    row[near] = fitted / fitted.sum()
    return row
