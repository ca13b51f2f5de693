from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from remi_stream.errors import RemiError
from remi_stream.models.smpl_pickle import SMPL_ARRAY_SHAPES, decode_array, read_safe_pickle, read_smpl

from .malice import NAMES, orders

Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def layout(made: Make) -> dict[str, Any]:
    """The dict of a made body, its regressor written out."""
    return {key: value for key, value in pickle.loads(made("smpl_neutral").read_bytes()).items()}


def test_plain_and_chumpy_pickles_hold_the_same_body(made: Make, layout: dict[str, Any]) -> None:
    plain, chumpy = read_smpl(made("smpl_neutral")), read_smpl(made("chumpy"))
    assert plain.keys() == chumpy.keys() == SMPL_ARRAY_SHAPES.keys()
    for name in SMPL_ARRAY_SHAPES:
        assert np.array_equal(plain[name], chumpy[name]), name
        wanted = layout[name].toarray() if name == "J_regressor" else layout[name]
        assert np.array_equal(plain[name], wanted), name


def test_chumpy_pickle_is_of_python_2_and_no_one_else_reads_it_without_chumpy(made: Make) -> None:
    content = made("chumpy").read_bytes()
    assert b"cchumpy.ch\nCh\n" in content
    assert b"cscipy.sparse.csc\ncsc_matrix\n" in content
    with pytest.raises(ModuleNotFoundError, match="chumpy"):
        pickle.loads(content, encoding="latin1")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.arange(6, dtype=np.uint32),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(3, dtype=">f8"),
    ],
    ids=["float64", "uint32", "by columns", "big-endian"],
)
def test_arrays_of_every_protocol_are_read(protocol: int, array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "some.pkl"
    path.write_bytes(pickle.dumps(array, protocol=protocol))
    assert np.array_equal(decode_array(read_safe_pickle(path)), array)


@pytest.mark.parametrize("kind", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_sparse_matrices_are_written_out(kind: Any, tmp_path: Path) -> None:
    dense = np.array([[0, 1.5, 0], [2, 0, 0.25]])
    (tmp_path / "some.pkl").write_bytes(pickle.dumps(kind(dense)))
    assert np.array_equal(decode_array(read_safe_pickle(tmp_path / "some.pkl")), dense)


def test_first_ten_of_more_shapes_are_kept(layout: dict[str, Any], tmp_path: Path) -> None:
    shapes = np.concatenate([layout["shapedirs"], np.ones((6890, 3, 5))], axis=2)
    (tmp_path / "many.pkl").write_bytes(pickle.dumps(layout | {"shapedirs": shapes}))
    assert np.array_equal(read_smpl(tmp_path / "many.pkl")["shapedirs"], layout["shapedirs"])


def bent(tree: np.ndarray) -> np.ndarray:
    other = tree.copy()
    other[0, 5] = 3
    return other


BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no regressor": (
        lambda body: {k: v for k, v in body.items() if k != "J_regressor"},
        r"not an SMPL body: it has no J_regressor \(it has: J, bs_style",
    ),
    "another body": (lambda body: body | {"v_template": np.zeros((10475, 3))}, r"v_template is 10475 x 3, expected 6890 x 3"),
    "hands too": (lambda body: body | {"weights": np.zeros((6890, 52))}, "weights is 6890 x 52, expected 6890 x 24"),
    "few shapes": (lambda body: body | {"shapedirs": body["shapedirs"][..., :4]}, "has 4 betas; at least 10 are needed"),
    "another tree": (lambda body: body | {"kintree_table": bent(body["kintree_table"])}, "another kinematic tree than SMPL"),
    "not finite": (lambda body: body | {"v_template": np.full((6890, 3), np.nan)}, "v_template has non-finite numbers"),
    "weights": (lambda body: body | {"weights": 2 * body["weights"]}, "weights has invalid numbers"),
    "faces": (lambda body: body | {"f": body["f"] + 1000}, "f has invalid numbers"),
    "objects": (lambda body: body | {"f": np.array([{}, {}])}, "found a list instead of an array"),
    "text": (lambda body: body | {"f": "none"}, "found a str instead of an array"),
    "a list": (lambda body: [1, 2], "contains a list, not the arrays of SMPL"),
    "results": (lambda body: {1: {"pose": [1]}}, r"it has no v_template, .* \(it has: 1\)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_pickle_that_is_no_smpl_is_reported_in_one_line(kind: str, layout: dict[str, Any], tmp_path: Path) -> None:
    make, wanted = BAD[kind]
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(make(layout)))
    with pytest.raises(RemiError, match=wanted) as error:
        read_smpl(tmp_path / "bad.pkl")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_body_that_would_run_code_is_refused_and_runs_nothing(
    name: str, protocol: int, layout: dict[str, Any], tmp_path: Path
) -> None:
    small = {"v_template": 1, "extra": orders(tmp_path / "trace")[name]}
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(small, protocol=protocol))
    with pytest.raises(RemiError, match=rf"^bad.pkl would run code when it is read \(it asks for {name}\); it is refused\.$"):
        read_smpl(tmp_path / "bad.pkl")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("share", [0.0001, 0.5, 0.999])
def test_body_that_is_cut_off_is_reported(share: float, made: Make, tmp_path: Path) -> None:
    whole = made("smpl_neutral").read_bytes()
    (tmp_path / "cut.pkl").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RemiError, match=r"cut.pkl is truncated or damaged, or not a pickle"):
        read_smpl(tmp_path / "cut.pkl")
