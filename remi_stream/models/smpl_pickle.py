"""SMPL's published pickles, read safely and without chumpy, and the plain arrays that the store keeps of them.

The layout is that of SMPL_NEUTRAL.pkl (and of SMPL_NEUTRAL.npz, which has the same arrays) and basicmodel_*_lbs_10_207_0_*.pkl:
a dict of arrays. The first releases were written by Python 2 and wrap arrays in chumpy objects, whose state has the numbers (`x`,
or a selection `idxs` of `a`).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.models.array_files import read_npz
from remi_stream.models.pickled_objects import NUMPY_CONSTRUCTORS, InertObject
from remi_stream.models.plain_arrays import checked_shape
from remi_stream.models.safe_pickle import DAMAGE_ERRORS, damage_errors, read_pickle
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
"""SMPL's array names -> fields of Body."""
VERTICES, JOINTS, BETAS, POSE_CORRECTIVES = 6890, 24, 10, 207
SMPL_ARRAY_SHAPES: dict[str, tuple[int | None, ...]] = {
    "v_template": (VERTICES, 3),
    "shapedirs": (VERTICES, 3, None),
    "posedirs": (VERTICES, 3, POSE_CORRECTIVES),
    "J_regressor": (JOINTS, VERTICES),
    "weights": (VERTICES, JOINTS),
    "f": (None, 3),
    "kintree_table": (2, JOINTS),
}
"""Keys of the dict and their shapes; None: any size."""
MAX_MATRIX_SIZE = JOINTS * VERTICES
"""The only sparse matrix is the joint regressor."""


def read_smpl(path: Path) -> dict[str, np.ndarray]:
    """Read and check the arrays of a pickle or .npz in SMPL's layout, with the first ten betas. Raises RemiError."""
    content = read_safe_pickle(path)
    if not isinstance(content, Mapping):
        raise RemiError(f"{path.name} contains a {type(content).__name__}, not the arrays of SMPL.")
    missing = [name for name in SMPL_ARRAY_SHAPES if name not in content]
    if missing:
        present = ", ".join(sorted(map(str, content))[:12]) or "nothing"
        raise RemiError(f"{path.name} is not an SMPL body: it has no {', '.join(missing)} (it has: {present}).")
    try:
        arrays = {name: decode_array(content[name]) for name in SMPL_ARRAY_SHAPES}
    except DAMAGE_ERRORS as error:
        raise RemiError(f"{path.name} is not an SMPL body, or it is damaged: {error}.") from None
    check_smpl_arrays(path, arrays)
    return {**arrays, "shapedirs": arrays["shapedirs"][..., :BETAS]}


def read_safe_pickle(path: Path) -> Any:
    """Read a pickle, or the arrays of an .npz by name; objects become inert. Raises RemiError."""
    if zipfile.is_zipfile(path):
        with damage_errors(path.name, "an .npz archive", advice="Download it again."):
            return read_npz(path, with_objects=True)
    with damage_errors(path.name, "a pickle", advice="Download it again."), path.open("rb") as file:
        return read_pickle(file, path.stat().st_size, NUMPY_CONSTRUCTORS)


def decode_array(value: Any) -> np.ndarray:
    """Return a NumPy array of numbers, or decode the inert object of a SciPy matrix or chumpy object. Raises ValueError."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiub":
            raise ValueError(f"numbers of type {value.dtype.kind}")
        return np.asarray(value)
    if not isinstance(value, InertObject):
        raise ValueError(f"found a {type(value).__name__} instead of an array")
    name = type(value).__name__
    if name.startswith("scipy.sparse."):
        return dense_matrix(value, name.rpartition(".")[2])
    if value.field("x") is not None:
        return decode_array(value.field("x"))
    if value.field("a") is not None:
        chosen = decode_array(value.field("a")).ravel()[decode_array(value.field("idxs"))]
        return chosen.reshape(value.field("preferred_shape"))
    raise ValueError(f"{name} has no numbers that can be read")


def dense_matrix(matrix: InertObject, kind: str) -> np.ndarray:
    """Convert a sparse matrix to a dense array. Raises ValueError for indices that are outside of it, which SciPy believes."""
    if kind not in ("csc_matrix", "csr_matrix", "csc_array", "csr_array"):
        raise ValueError(f"a matrix of type {kind}")
    shape = checked_shape(matrix.field("_shape") or matrix.field("shape"))
    if len(shape) != 2 or math.prod(shape) > MAX_MATRIX_SIZE:
        raise ValueError(f"a sparse matrix of {' x '.join(map(str, shape))}")
    data, indices, starts = (decode_array(matrix.field(name)) for name in ("data", "indices", "indptr"))
    rows, columns = reversed(shape) if kind.startswith("csc") else shape
    starts = starts.astype(np.int64)
    numbers = starts[1:] - starts[:-1]
    if data.shape != indices.shape or starts.shape != (rows + 1,) or numbers.min(initial=0) < 0 or numbers.sum() != len(data):
        raise ValueError("a sparse matrix whose parts do not fit together")
    if len(indices) and not 0 <= indices.min() <= indices.max() < columns:
        raise ValueError("a sparse matrix with numbers outside of it")
    dense = np.zeros((rows, columns), data.dtype)
    np.add.at(dense, (np.repeat(np.arange(rows), numbers), indices.astype(np.int64)), data)
    return dense.T if kind.startswith("csc") else dense


def check_smpl_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise RemiError unless these are the arrays of an SMPL body."""
    for name, shape in SMPL_ARRAY_SHAPES.items():
        got = arrays[name].shape
        if len(got) != len(shape) or any(want not in (None, have) for have, want in zip(got, shape)):
            wanted = " x ".join("any" if want is None else str(want) for want in shape)
            raise RemiError(f"{path.name} is not an SMPL body: {name} is {' x '.join(map(str, got))}, expected {wanted}.")
        if not np.isfinite(arrays[name]).all():
            raise RemiError(f"{path.name} is damaged: {name} has non-finite numbers.")
    if arrays["shapedirs"].shape[2] < BETAS:
        raise RemiError(f"{path.name} has {arrays['shapedirs'].shape[2]} betas; at least {BETAS} are needed.")
    # the root's parent is 2**32 - 1 in the published files
    parents = np.where(arrays["kintree_table"][0] > JOINTS, -1, arrays["kintree_table"][0].astype(np.int64))
    if parents.tolist() != list(SMPL_PARENTS):
        raise RemiError(f"{path.name} has another kinematic tree than SMPL: {parents.tolist()}.")
    sums = {"J_regressor": arrays["J_regressor"].sum(1), "weights": arrays["weights"].sum(1)}
    off = [name for name, sum_ in sums.items() if abs(sum_ - 1).max() > 0.01]
    if off or not 0 <= arrays["f"].min() <= arrays["f"].max() < VERTICES:
        raise RemiError(f"{path.name} is damaged: {', '.join(off) or 'f'} has invalid numbers.")


def save_smpl(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write SMPL's arrays, by their published names, as the store keeps them: an .npz without objects."""
    floats = {name: arrays[name].astype(np.float32) for name in SMPL_ARRAYS}
    with path.open("wb") as file:
        np.savez(file, **floats, f=arrays["f"].astype(np.int32))  # type: ignore[arg-type]
