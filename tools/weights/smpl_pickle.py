"""Writes the layout of SMPL_NEUTRAL.pkl, plain or as in the first releases: Python 2, chumpy arrays, old scipy matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from remi_stream.body.smpl import Body
from weights.stub_pickle import dumps, stub_class


def smpl_pickle(body: Body, chumpy: bool = False) -> bytes:
    """Pickle a body (V vertices, 24 joints, 10 shapes) with pose correctives, float64 as published."""
    assert body.posedirs is not None
    layout: dict[str, Any] = {
        "v_template": body.v_template,
        "shapedirs": body.shapedirs,
        "posedirs": body.posedirs,
        "J_regressor": csc_matrix(body.joint_regressor),
        "J": body.joint_regressor @ body.v_template,
        "weights": body.skin_weights,
        "f": body.faces.astype(np.uint32),
        "kintree_table": np.array([body.parents, range(24)], np.int64).astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    if chumpy:
        wrapped = {name: chumpy_array(layout[name]) for name in ("v_template", "posedirs", "weights", "J")}
        layout |= wrapped | {"shapedirs": chumpy_selection(layout["shapedirs"]), "J_regressor": old_matrix(layout["J_regressor"])}
    return dumps(layout, python2=chumpy)


def chumpy_array(array: np.ndarray) -> Any:
    """Wrap an array in chumpy's record."""
    record = stub_class("chumpy.ch.Ch")()
    record.__dict__.update(x=array, _dirty_vars=set(), _itr=None)
    return record


def chumpy_selection(array: np.ndarray) -> Any:
    """Wrap an array as chumpy's selection of a larger one (the first ten shapes)."""
    larger = np.concatenate([array, np.ones_like(array)], axis=-1)
    numbers = np.arange(larger.size).reshape(larger.shape)[..., : array.shape[-1]]
    record = stub_class("chumpy.reordering.Select")()
    record.__dict__.update(a=chumpy_array(larger), idxs=numbers.ravel(), preferred_shape=array.shape)
    return record


def old_matrix(matrix: Any) -> Any:
    """Wrap a sparse matrix under its module name from before scipy 1.8."""
    record = stub_class("scipy.sparse.csc.csc_matrix")()
    record.__dict__.update(
        _shape=matrix.shape, maxprint=50, data=matrix.data, indices=matrix.indices, indptr=matrix.indptr, format="csc"
    )
    return record
