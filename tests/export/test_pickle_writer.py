"""Pickles written in chunks, read with pickle and joblib."""

from __future__ import annotations

import io
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from remi_stream.export.pickle_writer import ChunkedArray, LazyDict, write_pickle


def written(value: Any) -> bytes:
    file = io.BytesIO()
    write_pickle(file, value)
    return file.getvalue()


@pytest.mark.parametrize(
    "value", [None, True, False, 0, -1, 255, 2**62, -(2**62), "", "é x", [], {}, [[1], None], {1: {"a": [2]}}]
)
def test_plain_values_come_back(value: Any) -> None:
    back = pickle.loads(written(value))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "i4", "u1", "?", ">f4", "f2"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3, 4)])
def test_arrays_come_back(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind)
    (tmp_path / "x.pkl").write_bytes(written({"a": array, "t": array.T}))
    for back in (joblib.load(tmp_path / "x.pkl"), pickle.loads((tmp_path / "x.pkl").read_bytes())):
        assert type(back["a"]) is np.ndarray
        assert back["a"].dtype == np.dtype(kind).newbyteorder("<")
        np.testing.assert_array_equal(back["a"], array)
        np.testing.assert_array_equal(back["t"], array.T)
        assert back["a"].flags.writeable


def test_chunks_are_generated_one_by_one_and_read_as_one_array() -> None:
    made: list[int] = []

    def rows():
        for row in range(4):
            made.append(row)
            yield np.full((2, 3), row)

    filled = np.zeros(4, np.float32)

    def pairs():
        yield "rows", ChunkedArray((4, 2, 3), "<f4", rows())
        filled[:] = made
        yield "after", filled

    back = pickle.loads(written(LazyDict(pairs())))
    assert list(back) == ["rows", "after"]
    assert (back["rows"].shape, back["rows"].dtype) == ((4, 2, 3), np.float32)
    np.testing.assert_array_equal(back["rows"][:, 0, 0], back["after"])
    np.testing.assert_array_equal(back["after"], [0, 1, 2, 3])


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_that_are_too_few_or_too_many_are_a_mistake(rows: int) -> None:
    with pytest.raises(ValueError, match=r"array of shape \(2, 5\)"):
        written(ChunkedArray((2, 5), "<f4", [np.zeros(5)] * rows))


def test_object_in_an_array_without_axes_comes_back() -> None:
    back = pickle.loads(written(np.array({"clip.mp4": {"custom": [np.ones((2, 17, 2), np.float32)]}}, object)))
    assert (back.dtype, back.shape) == (np.dtype(object), ())
    assert back.item()["clip.mp4"]["custom"][0].shape == (2, 17, 2)


@pytest.mark.parametrize("value", [1.5, (1,), {1}, np.array(["a"])])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot pickle a"):
        written(value)


def test_arrays_are_named_as_every_version_of_numpy_knows_them() -> None:
    """NumPy before 1.26 has no numpy._core."""
    data = written({"a": np.zeros(3), "o": np.array(None, object)})
    names = {argument for operation, argument, _ in pickletools.genops(data) if operation.name == "GLOBAL"}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    assert max(operation.proto for operation, _, _ in pickletools.genops(data)) <= 4


def test_reading_causes_no_numpy_warning(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(written({"a": np.zeros(3)}))
    code = f"import pickle; print(pickle.load(open({str(tmp_path / 'x.pkl')!r}, 'rb'))['a'].sum())"
    done = subprocess.run([sys.executable, "-W", "error::DeprecationWarning", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0.0\n", "")
