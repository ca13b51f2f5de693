"""The imported SMPL_FILE model: plain arrays in the model store, converted from SMPL_FILE's pickles by models/arrival.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from remi_stream.body.smpl import Body, load_default_body
from remi_stream.models.catalogue import find_model_file
from remi_stream.models.store import file_fault, model_path
from remi_stream.skeletons import SMPL_PARENTS

SMPL_FILE, EXTRA_REGRESSOR_FILE = "smpl_neutral", "j_regressor_extra"
"""Names of the two files in the model store."""
SMPL_ARRAYS = {
    "v_template": "v_template",
    "shapedirs": "shapedirs",
    "posedirs": "posedirs",
    "J_regressor": "joint_regressor",
    "weights": "skin_weights",
}
"""SMPL_FILE's array names -> fields of Body."""


def save_smpl(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write SMPL_FILE's arrays, by their published names, in the format that `load_smpl` reads."""
    floats = {name: arrays[name].astype(np.float32) for name in SMPL_ARRAYS}
    with path.open("wb") as file:
        np.savez(file, **floats, f=arrays["f"].astype(np.int32))  # type: ignore[arg-type]


@cache
def load_smpl(path: Path) -> Body:
    """Load the body from a file of `save_smpl`: 6890 vertices, 10 betas, posedirs (6890, 3, 207)."""
    with np.load(path, allow_pickle=False) as packed:
        floats = {ours: packed[theirs] for theirs, ours in SMPL_ARRAYS.items()}
        return Body(name="smpl", faces=packed["f"], parents=np.array(SMPL_PARENTS, np.int32), **floats)


def load_extra_regressor(path: Path) -> np.ndarray:
    """Load the regressor of nine more joints from SMPL_FILE's vertices: (9, 6890) float64, rows sum to 1.

    In order: right and left hip, neck and top of the head of LSP; pelvis and thorax of MPII; spine, jaw and head of Human3.6M.
    """
    return np.load(path, allow_pickle=False).astype(np.float64)


def load_engine_body() -> Body:
    """Return SMPL_FILE if it has been imported and is intact, else the default body."""
    file = find_model_file(SMPL_FILE)
    return load_default_body() if file_fault(file) else load_smpl(model_path(file))


def find_extra_regressor() -> np.ndarray | None:
    """Return the regressor of nine more joints, or None if it is not imported; it fits SMPL_FILE's vertices only."""
    file = find_model_file(EXTRA_REGRESSOR_FILE)
    return None if file_fault(file) else load_extra_regressor(model_path(file))
