"""SMPL as the user has imported it: in the store as plain arrays (models/arrival.py makes them of SMPL's pickles)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from remi_stream.body.smpl import Body, load_open_body
from remi_stream.models.catalogue import known_file
from remi_stream.models.store import fault, place
from remi_stream.skeletons import SMPL_PARENTS

SMPL, EXTRA = "smpl_neutral", "j_regressor_extra"
FLOATS = {
    "v_template": "v_template",
    "shapedirs": "shapedirs",
    "posedirs": "posedirs",
    "J_regressor": "joint_regressor",
    "weights": "skin_weights",
}
"""SMPL's names, and those of Body."""


def store_smpl(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write SMPL's arrays, by their published names, as `load_smpl` reads them."""
    floats = {name: arrays[name].astype(np.float32) for name in FLOATS}
    with path.open("wb") as file:
        np.savez(file, **floats, f=arrays["f"].astype(np.int32))  # type: ignore[arg-type]


@cache
def load_smpl(path: Path) -> Body:
    """The body in a file that `store_smpl` wrote: 6890 vertices, 10 shapes, posedirs (6890, 3, 207)."""
    with np.load(path, allow_pickle=False) as packed:
        floats = {ours: packed[theirs] for theirs, ours in FLOATS.items()}
        return Body(name="smpl", faces=packed["f"], parents=np.array(SMPL_PARENTS, np.int32), **floats)


def load_extra_regressor(path: Path) -> np.ndarray:
    """Nine more joints of SMPL's vertices: (9, 6890) float64, rows sum to 1.

    In order: right and left hip, neck and top of the head of LSP; pelvis and thorax of MPII; spine, jaw and head of Human3.6M.
    """
    return np.load(path, allow_pickle=False).astype(np.float64)


def body_for_engines() -> Body:
    """SMPL if it has been imported and is whole, else the open body."""
    file = known_file(SMPL)
    return load_open_body() if fault(file) else load_smpl(place(file))


def extra_regressor() -> np.ndarray | None:
    """The nine more joints if they have been imported, else None; they are for SMPL's vertices only."""
    file = known_file(EXTRA)
    return None if fault(file) else load_extra_regressor(place(file))
