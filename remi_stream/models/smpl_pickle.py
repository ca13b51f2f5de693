"""SMPL's published pickles, read with the safe unpickler and without chumpy.

The layout is that of SMPL_NEUTRAL.pkl and basicmodel_*_lbs_10_207_0_*.pkl: a dict of arrays. The first releases were written by
Python 2 and wrap arrays in chumpy objects, whose state has the numbers (`x`, or a selection `idxs` of `a`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.models.safe_pickle import PICKLE_ERRORS, InertObject, SafeUnpickler, UnsafePickleError
from remi_stream.skeletons import SMPL_PARENTS

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
NUMBER_TYPE = re.compile(r"[fiub][1248]")
"""Allowed NumPy dtypes."""


def read_smpl(path: Path) -> dict[str, np.ndarray]:
    """Read and check the arrays of a pickle in SMPL's layout, with the first ten betas. Raises RemiError."""
    content = read_safe_pickle(path)
    if not isinstance(content, Mapping):
        raise RemiError(f"{path.name} contains a {type(content).__name__}, not the arrays of SMPL.")
    missing = [name for name in SMPL_ARRAY_SHAPES if name not in content]
    if missing:
        present = ", ".join(sorted(map(str, content))[:12]) or "nothing"
        raise RemiError(f"{path.name} is not an SMPL body: it has no {', '.join(missing)} (it has: {present}).")
    try:
        arrays = {name: decode_array(content[name]) for name in SMPL_ARRAY_SHAPES}
    except (*PICKLE_ERRORS, RecursionError) as error:
        raise RemiError(f"{path.name} is not an SMPL body, or it is damaged: {error}.") from None
    check_smpl_arrays(path, arrays)
    return {**arrays, "shapedirs": arrays["shapedirs"][..., :BETAS]}


def read_safe_pickle(path: Path) -> Any:
    """Read a pickle with the safe unpickler; objects become inert. Raises RemiError."""
    try:
        with path.open("rb") as file:
            return SafeUnpickler(file, {}).load()
    except UnsafePickleError as error:
        raise RemiError(f"{path.name} would run code when it is read (it calls {error}); it is refused.") from None
    except (*PICKLE_ERRORS, RecursionError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise RemiError(f"{path.name} is truncated or damaged, or not a pickle ({why}). Download it again.") from None


def decode_array(value: Any) -> np.ndarray:
    """Decode the inert object of a NumPy array, SciPy matrix or chumpy object. Raises ValueError."""
    if not isinstance(value, InertObject):
        raise ValueError(f"found a {type(value).__name__} instead of an array")
    name = type(value).__name__
    if name.startswith("numpy.") and name.endswith("._reconstruct"):
        _, shape, kind, fortran, numbers = value.state[-5:]
        return array_from_buffer(numbers, kind, shape, "F" if fortran else "C")
    if name.startswith("numpy.") and name.endswith("._frombuffer"):
        numbers, kind, shape, order = value.args
        return array_from_buffer(numbers, kind, shape, order)
    if name.startswith("scipy.sparse."):
        return dense_matrix(value, name.rpartition(".")[2])
    if value.field("x") is not None:
        return decode_array(value.field("x"))
    if value.field("a") is not None:
        chosen = decode_array(value.field("a")).ravel()[decode_array(value.field("idxs"))]
        return chosen.reshape(value.field("preferred_shape"))
    raise ValueError(f"{name} has no numbers that can be read")


def array_from_buffer(numbers: bytes | str, kind: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
    """Return an array of raw numbers; kind: the inert dtype. Python 2 wrote bytes as text."""
    code, state = kind.args[0], kind.state
    if not (isinstance(code, str) and NUMBER_TYPE.fullmatch(code)):
        raise ValueError(f"numbers of type {code}")
    endian = ">" if isinstance(state, tuple) and state[1] == ">" else "<"
    content = numbers.encode("latin1") if isinstance(numbers, str) else bytes(numbers)
    return np.frombuffer(content, np.dtype(endian + code)).reshape(shape, order="F" if order == "F" else "C")


def dense_matrix(matrix: InertObject, kind: str) -> np.ndarray:
    """Convert a sparse matrix to a dense array."""
    import scipy.sparse

    if kind not in ("csc_matrix", "csr_matrix", "csc_array", "csr_array"):
        raise ValueError(f"a matrix of type {kind}")
    data, indices, starts = (decode_array(matrix.field(name)) for name in ("data", "indices", "indptr"))
    make: Any = scipy.sparse.csc_matrix if kind.startswith("csc") else scipy.sparse.csr_matrix
    return make((data, indices, starts), shape=matrix.field("_shape") or matrix.field("shape")).toarray()


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
    parents = np.where(arrays["kintree_table"][0] > JOINTS, -1, arrays["kintree_table"][0].astype(np.int64))
    if parents.tolist() != list(SMPL_PARENTS):
        raise RemiError(f"{path.name} has another kinematic tree than SMPL: {parents.tolist()}.")
    sums = {"J_regressor": arrays["J_regressor"].sum(1), "weights": arrays["weights"].sum(1)}
    off = [name for name, sum_ in sums.items() if abs(sum_ - 1).max() > 0.01]
    if off or not 0 <= arrays["f"].min() <= arrays["f"].max() < VERTICES:
        raise RemiError(f"{path.name} is damaged: {', '.join(off) or 'f'} has invalid numbers.")
