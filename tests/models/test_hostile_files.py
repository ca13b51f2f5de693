"""Files that strangers bring: each attack ends in one line and the right exit code, within little memory."""

from __future__ import annotations

import functools
import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remi_stream.errors import RemiError
from remi_stream.models.array_files import open_archive, read_npy, read_npz
from remi_stream.models.pickled_objects import NUMPY_CONSTRUCTORS
from remi_stream.models.safe_pickle import DAMAGE_ERRORS, read_pickle
from remi_stream.models.smpl_pickle import decode_array, read_safe_pickle, read_smpl

MEMORY_LIMIT = 1_500_000_000
"""Of address space, as `ulimit -v` sets it; libraries take a third of it."""


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def dtype(code: str, state: bytes = b"") -> bytes:
    return named("numpy", "dtype") + f"(S'{code}'\nI0\nI1\ntR".encode() + (state and state + b"b")


def array(shape: bytes, kind: bytes, content: bytes) -> bytes:
    """A pickled array: shape and content are instructions."""
    empty = named("numpy.core.multiarray", "_reconstruct") + b"(" + named("numpy", "ndarray") + b"(I0\ntS'b'\ntR"
    return empty + b"(I1\n" + shape + kind + b"I00\n" + content + b"tb"


def wrapping_shape() -> bytes:
    """16 x 16 as 8-bit integers, whose product is 0 for whoever multiplies them as such."""
    side = named("numpy.core.multiarray", "scalar") + b"(" + dtype("i1") + b"S'\\x10'\ntR"
    return b"(" + side + side + b"t"


FIELDS = b"(I3\nS'|'\nN(S'a'\nt(dS'a'\n(" + dtype("O8") + b"I0\ntsI8\nI8\nI63\nt"
LAUGHS = b"](I1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\neq\x00" + b"".join(
    b"](" + b"h" + bytes([level]) * 1 + (b"h" + bytes([level])) * 9 + b"eq" + bytes([level + 1]) for level in range(12)
)


def built_often(shape: bytes, kind: bytes, content: bytes, times: int) -> bytes:
    """A list of arrays, each built anew of one and the same state."""
    constructor = named("numpy.core.multiarray", "_reconstruct") + b"q\x00"
    arguments = b"(" + named("numpy", "ndarray") + b"(I0\ntS'b'\ntq\x01"
    state = b"(I1\n" + shape + kind + b"I00\n" + content + b"tq\x02"
    return constructor + b"0" + arguments + b"0" + state + b"0(" + b"h\x00h\x01Rh\x02b" * times + b"l."


def byte_content(size: int) -> bytes:
    return b"B" + struct.pack("<I", size) + bytes(size)


def dicts_of_pairs(pairs: int, times: int) -> bytes:
    """A list of dicts, each made anew of one and the same list of pairs."""
    made = b"".join(b"J" + struct.pack("<i", number) + b"N\x86" for number in range(pairs))
    return named("collections", "OrderedDict") + b"q\x000(" + made + b"l\x85q\x010(" + b"h\x00h\x01R" * times + b"l."


PICKLES: dict[str, bytes] = {
    "400 MB of flags from 200 kB": built_often(b"(I200000\nt", dtype("b1"), byte_content(200_000), 2000),
    "400 MB of numbers in the other byte order": built_often(
        b"(I50000\nt", dtype("f4", b"(I3\nS'>'\nNNNI-1\nI-1\nI0\nt"), byte_content(200_000), 2000
    ),
    "300 dicts of the same pairs": dicts_of_pairs(20_000, 300),
    "objects with 32 axes": built_often(b"(I20000\n" + b"I1\n" * 31 + b"t", dtype("O8"), b"(" + b"N" * 20_000 + b"l", 1),
    "430 MB of lists of one": built_often(b"(I10000\nI1\nI1\nI1\nI1\nt", dtype("O8"), b"(" + b"N" * 10_000 + b"l", 150),
    "objects without a list of that length": array(wrapping_shape(), dtype("O8"), b"]"),
    "a type with a field of objects": array(b"(I1\nt", dtype("i8", FIELDS), b"S'ABCDEFGH'\n"),
    "a void type": array(b"(I1\nt", dtype("V8"), b"S'ABCDEFGH'\n"),
    "objects from bytes": array(b"(I1\nt", dtype("O8"), b"S'ABCDEFGH'\n"),
    "a huge memo": b"\x80\x04Nr\xff\xff\xff\x3f.",
    "a huge memo without an end": b"\x80\x02]r\x00\x00\x00\x7f",
    "text of four exabytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"a.",
    "bytes of two gigabytes": b"\x80\x04B" + struct.pack("<I", 1 << 31) + b"a.",
    "a bytearray of 3 GB": b"\x80\x05\x96" + struct.pack("<Q", 3 << 30) + b"a.",
    "a frame of 3 GB": b"\x80\x04\x95" + struct.pack("<Q", 3 << 30) + b"a.",
    "an array of 8 TB": array(b"(I1000000\nI1000000\nt", dtype("f8"), b"S''\n"),
    "texts of no size": array(b"(I1000000000000\nt", dtype("S0"), b"S''\n"),
    "a billion items by reference": b"\x80\x02" + LAUGHS + b".",
    "a hundred thousand lists in lists": b"]" * 100_000 + b"a" * 99_999 + b".",
    "a key of nested tuples": b"}" + b")" + b"\x85" * 200_000 + b"Ns.",
    "a list in itself": b"]q\x00h\x00a.",
    "three million dicts": b"(" + b"}" * 3_000_000 + b"l.",
    "two hundred thousand classes": b"".join(named("a", f"b{number}") + b"0" for number in range(200_000)) + b"N.",
    "an extension": b"\x80\x02\x82\x01.",
    "a buffer from outside": b"\x80\x05\x97.",
    "a function": named("posix", "system") + b"(S'true'\ntR.",
}


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def npz(*members: tuple[str, bytes], packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def plain_header(code: str = "'<f8'", shape: str = "(2,)") -> str:
    return f"{{'descr': {code}, 'fortran_order': False, 'shape': {shape}, }}\n"


def boxes(content: bytes) -> bytes:
    return npz(("positions_2d.npy", content), ("metadata.npy", content))


def big_directory() -> bytes:
    """An archive whose directory is said to have 3 GB."""
    return b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 3_000_000_000, 0, 0)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a structure with objects": lambda: boxes(npy(plain_header("[('a', '|O')]"), bytes(16))),
    "objects by another name": lambda: boxes(npy(plain_header("'O8'"), bytes(16))),
    "a sub-array of objects": lambda: boxes(npy(plain_header("('|O', (2,))"), bytes(16))),
    "code in the header": lambda: boxes(npy(plain_header(shape="(__import__('os').system('true'),)"), bytes(16))),
    "a header of 4 GB": lambda: boxes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
    "a deep header": lambda: boxes(npy("(" * 9000)),
    "16 EB of numbers": lambda: boxes(npy(plain_header(shape="(2000000000000000000,)"), bytes(16))),
    "a negative shape": lambda: boxes(npy(plain_header(shape="(-1,)"), bytes(16))),
    "280 MB of zeros in 270 kB": lambda: npz(("x.npy", bytes(280_000_000))),
    "a pickled object": lambda: boxes(npy(plain_header("'|O'", "()"), PICKLES["objects without a list of that length"])),
    "a pickle of 4 EB": lambda: boxes(npy(plain_header("'|O'", "()"), PICKLES["text of four exabytes"])),
    "1 GB of flags from 100 kB": lambda: boxes(
        npy(plain_header("'|O'", "()"), built_often(b"(I100000000\nt", dtype("b1"), byte_content(100_000_000), 10))
    ),
    "20 pickles of 100 MB each": lambda: npz(
        *(
            (
                f"{number}.npy",
                npy(plain_header("'|O'", "()"), built_often(b"(I200000\nt", dtype("b1"), byte_content(200_000), 500)),
            )
            for number in range(20)
        )
    ),
    "a directory of 3 GB": big_directory,
    "30,000 files": lambda: npz(*((f"{number}.npy", b"") for number in range(30_000)), packed=zipfile.ZIP_STORED),
    "bzip2": lambda: npz(("positions_2d.npy", bytes(50 << 20)), packed=zipfile.ZIP_BZIP2),
}


def limited(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with little memory."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    return subprocess.run(
        command, capture_output=True, text=True, timeout=170, env={**os.environ, **threads, **environment}, preexec_fn=limit
    )


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run remi-stream with little memory."""
    return limited([sys.executable, "-m", "remi_stream", *words], REMI_HOME=str(home))


@pytest.mark.parametrize("attack", ["objects without a list of that length", "a huge memo", "a billion items by reference"])
def test_evaluate_refuses_a_hostile_truth_in_one_line(attack: str, tmp_path: Path) -> None:
    (tmp_path / "truth.pkl").write_bytes(PICKLES[attack])
    done = run(tmp_path, "evaluate", str(tmp_path), str(tmp_path / "truth.pkl"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "truth.pkl" in done.stderr


@pytest.mark.parametrize("attack", ["a pickled object", "280 MB of zeros in 270 kB"])
def test_lift_refuses_a_hostile_archive_in_one_line(attack: str, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(ARCHIVES[attack]())
    done = run(tmp_path, "lift", str(tmp_path / "x.npz"), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stderr.count("\n")) in ((2, 1), (3, 1)), done.stderr
    assert "x.npz" in done.stderr


READ_ALL = """
import io, re, sys
from pathlib import Path
from remi_stream.errors import RemiError
from remi_stream.models.array_files import read_npz
from remi_stream.models.pickled_objects import NUMPY_CONSTRUCTORS
from remi_stream.models.safe_pickle import DAMAGE_ERRORS, read_pickle
from remi_stream.models.smpl_pickle import decode_array
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)
    try:
        if path.suffix == ".pkl":
            decode_array(read_pickle(path.open("rb"), path.stat().st_size, NUMPY_CONSTRUCTORS))
        else:
            read_npz(path, with_objects=True)
    except (RemiError, *DAMAGE_ERRORS) as error:
        if isinstance(error, MemoryError):
            raise
    else:
        sys.exit(f"{path.name} was read")
# not ru_maxrss, which begins with the memory of the process that forked this one
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""
"""Reads all files of a folder, each of which must be refused; prints the most memory that it ever had."""


def test_hostile_files_are_refused_within_little_memory(tmp_path: Path) -> None:
    for name, content in PICKLES.items():
        (tmp_path / f"{name}.pkl").write_bytes(content)
    for name, make in ARCHIVES.items():
        (tmp_path / f"{name}.npz").write_bytes(make())
    done = limited([sys.executable, "-c", READ_ALL, str(tmp_path)])
    assert done.returncode == 0, f"{done.stdout[-200:]}{done.stderr}"
    *names, peak = done.stdout.splitlines()
    assert len(names) == len(PICKLES) + len(ARCHIVES)
    assert int(peak) < MEMORY_LIMIT / 2


@pytest.mark.parametrize("part", ["indices", "indptr", "shape"])
def test_sparse_matrix_with_numbers_outside_of_it_is_refused(part: str, tmp_path: Path) -> None:
    import scipy.sparse

    matrix = scipy.sparse.csc_matrix(np.eye(3))
    if part == "indices":
        matrix.indices[1] = 1 << 28
    elif part == "indptr":
        matrix.indptr[:] = 0, 1 << 28, -(1 << 28), 3
    else:
        matrix._shape = (1 << 30, 1 << 30)
    (tmp_path / "some.pkl").write_bytes(pickle.dumps(matrix))
    with pytest.raises(ValueError, match="sparse matrix"):
        decode_array(read_safe_pickle(tmp_path / "some.pkl"))


def test_text_that_is_no_unicode_and_flags_that_are_no_flags_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_bytes(npy(plain_header("'<U1'", "(1,)"), b"\xff\xff\xff\x7f"))
    with pytest.raises(ValueError, match="no Unicode"):
        read_npy(tmp_path / "text.npy")
    (tmp_path / "flags.npy").write_bytes(npy(plain_header("'|b1'", "(3,)"), b"\xff\x00\x02"))
    flags = read_npy(tmp_path / "flags.npy")
    assert flags.tolist() == [True, False, True]
    assert np.arange(3)[flags].tolist() == [0, 2]  # NumPy sums such bytes to count them


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("code", ["<f8", ">f4", "<f2", "|i1", "<i8", ">u2", "|b1", "<U5", ">U2", "|S3"])
def test_plain_arrays_are_read_as_numpy_reads_them(code: str, order: Any, version: int, tmp_path: Path) -> None:
    for array in (np.arange(12).reshape(3, 4), np.array(7), np.zeros((0, 3))):
        wanted = np.asarray(array.astype(code), order=order)
        with (tmp_path / "x.npy").open("wb") as file:
            np.lib.format.write_array(file, wanted, version=(version, 0))
        got = read_npy(tmp_path / "x.npy")
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype.newbyteorder("=")
        assert np.array_equal(got, wanted)


def test_smpl_as_npz_is_the_body_of_the_pickle(made: Callable[[str], Path], tmp_path: Path) -> None:
    content = pickle.loads(made("smpl_neutral").read_bytes())
    np.savez_compressed(tmp_path / "SMPL_NEUTRAL.npz", **content)
    assert b"scipy" in (zipfile.ZipFile(tmp_path / "SMPL_NEUTRAL.npz").read("J_regressor.npy"))
    wanted, got = read_smpl(made("smpl_neutral")), read_smpl(tmp_path / "SMPL_NEUTRAL.npz")
    assert all(np.array_equal(got[name], wanted[name]) for name in wanted)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_changed_pickle_is_read_or_refused(data: st.DataObject) -> None:
    protocol = data.draw(st.integers(0, 5))
    value = {"a": [np.arange(6.0).reshape(2, 3), np.array(["x", "yz"])], "b": np.float32(2), "c": ((1, 2.5), None, b"x")}
    content = bytearray(pickle.dumps(value, protocol))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_pickle(io.BytesIO(content), len(content), NUMPY_CONSTRUCTORS)
    except (RemiError, *DAMAGE_ERRORS):
        pass


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_archive_is_read_or_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    content = bytearray(boxes(npy(plain_header(), bytes(16))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read_npz(path, with_objects=True)
        with open_archive(path) as archive:
            archive.testzip()
    except (RemiError, OSError, *DAMAGE_ERRORS):
        pass
