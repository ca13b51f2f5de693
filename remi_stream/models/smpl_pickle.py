"""SMPL's published pickles, read without running anything that they ask for and without chumpy.

The layout is that of SMPL_NEUTRAL.pkl and basicmodel_*_lbs_10_207_0_*.pkl: a dict of arrays. The first releases were written by
Python 2 and wrap arrays in chumpy objects, whose records keep the numbers (`x`, or a selection `idxs` of `a`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.models.inert import BROKEN, Inert, InertUnpickler, RunsCodeError
from remi_stream.skeletons import SMPL_PARENTS

VERTICES, JOINTS, SHAPES, CORRECTIVES = 6890, 24, 10, 207
LAYOUT: dict[str, tuple[int | None, ...]] = {
    "v_template": (VERTICES, 3),
    "shapedirs": (VERTICES, 3, None),
    "posedirs": (VERTICES, 3, CORRECTIVES),
    "J_regressor": (JOINTS, VERTICES),
    "weights": (VERTICES, JOINTS),
    "f": (None, 3),
    "kintree_table": (2, JOINTS),
}
"""What is read of the dict, and the shapes; None: any number."""
NUMBERS = re.compile(r"[fiub][1248]")
"""The types of numbers that are read."""


def read_smpl(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a pickle in SMPL's layout, checked, with ten shapes. Raises RemiError."""
    content = read_inert_pickle(path)
    if not isinstance(content, Mapping):
        raise RemiError(f"{path.name} holds a {type(content).__name__}, not the arrays of SMPL.")
    missing = [name for name in LAYOUT if name not in content]
    if missing:
        held = ", ".join(sorted(map(str, content))[:12]) or "nothing"
        raise RemiError(f"{path.name} is no SMPL body: it has no {', '.join(missing)} (it has: {held}).")
    try:
        arrays = {name: array_of(content[name]) for name in LAYOUT}
    except (*BROKEN, RecursionError) as error:
        raise RemiError(f"{path.name} is no SMPL body, or it is damaged: {error}.") from None
    check(path, arrays)
    return {**arrays, "shapedirs": arrays["shapedirs"][..., :SHAPES]}


def read_inert_pickle(path: Path) -> Any:
    """What is in a pickle; its objects are records that do nothing. Raises RemiError."""
    try:
        with path.open("rb") as file:
            return InertUnpickler(file, {}).load()
    except RunsCodeError as error:
        raise RemiError(f"{path.name} would run code when it is read (it asks for {error}); it is refused.") from None
    except (*BROKEN, RecursionError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise RemiError(f"{path.name} is cut off or damaged, or no pickle ({why}). Get it again.") from None


def array_of(value: Any) -> np.ndarray:
    """The numbers of a record of a NumPy array, of a scipy matrix or of a chumpy object. Raises ValueError."""
    if not isinstance(value, Inert):
        raise ValueError(f"a {type(value).__name__} stands where an array should")
    name = type(value).__name__
    if name.startswith("numpy.") and name.endswith("._reconstruct"):
        _, shape, kind, fortran, numbers = value.state[-5:]
        return plain(numbers, kind, shape, "F" if fortran else "C")
    if name.startswith("numpy.") and name.endswith("._frombuffer"):
        numbers, kind, shape, order = value.args
        return plain(numbers, kind, shape, order)
    if name.startswith("scipy.sparse."):
        return dense(value, name.rpartition(".")[2])
    if value.field("x") is not None:
        return array_of(value.field("x"))
    if value.field("a") is not None:
        chosen = array_of(value.field("a")).ravel()[array_of(value.field("idxs"))]
        return chosen.reshape(value.field("preferred_shape"))
    raise ValueError(f"{name} keeps no numbers that can be read")


def plain(numbers: bytes | str, kind: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
    """An array of these numbers; kind: the record of their type. Python 2 wrote bytes as text."""
    code, state = kind.args[0], kind.state
    if not (isinstance(code, str) and NUMBERS.fullmatch(code)):
        raise ValueError(f"numbers of type {code}")
    endian = ">" if isinstance(state, tuple) and state[1] == ">" else "<"
    content = numbers.encode("latin1") if isinstance(numbers, str) else bytes(numbers)
    return np.frombuffer(content, np.dtype(endian + code)).reshape(shape, order="F" if order == "F" else "C")


def dense(matrix: Inert, kind: str) -> np.ndarray:
    """A sparse matrix, written out."""
    import scipy.sparse

    if kind not in ("csc_matrix", "csr_matrix", "csc_array", "csr_array"):
        raise ValueError(f"a matrix of type {kind}")
    data, indices, starts = (array_of(matrix.field(name)) for name in ("data", "indices", "indptr"))
    make: Any = scipy.sparse.csc_matrix if kind.startswith("csc") else scipy.sparse.csr_matrix
    return make((data, indices, starts), shape=matrix.field("_shape") or matrix.field("shape")).toarray()


def check(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise RemiError unless these are the arrays of a body of SMPL."""
    for name, shape in LAYOUT.items():
        got = arrays[name].shape
        if len(got) != len(shape) or any(want not in (None, have) for have, want in zip(got, shape)):
            wanted = " x ".join("any" if want is None else str(want) for want in shape)
            raise RemiError(f"{path.name} is no SMPL body: {name} is {' x '.join(map(str, got))}, expected {wanted}.")
        if not np.isfinite(arrays[name]).all():
            raise RemiError(f"{path.name} is damaged: {name} has numbers that are not finite.")
    if arrays["shapedirs"].shape[2] < SHAPES:
        raise RemiError(f"{path.name} has {arrays['shapedirs'].shape[2]} shapes; at least {SHAPES} are needed.")
    parents = np.where(arrays["kintree_table"][0] > JOINTS, -1, arrays["kintree_table"][0].astype(np.int64))
    if parents.tolist() != list(SMPL_PARENTS):
        raise RemiError(f"{path.name} has another tree of joints than SMPL: {parents.tolist()}.")
    sums = {"J_regressor": arrays["J_regressor"].sum(1), "weights": arrays["weights"].sum(1)}
    off = [name for name, sum_ in sums.items() if abs(sum_ - 1).max() > 0.01]
    if off or not 0 <= arrays["f"].min() <= arrays["f"].max() < VERTICES:
        raise RemiError(f"{path.name} is damaged: the numbers of {', '.join(off) or 'f'} cannot be a body's.")
