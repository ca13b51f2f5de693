"""Reads NumPy's files (.npy, .npz) and zip archives that may come from strangers, within limits and without pickled types."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.models.pickled_objects import NUMPY_CONSTRUCTORS
from remi_stream.models.plain_arrays import array_bytes, array_from_buffer, checked_shape, plain_dtype
from remi_stream.models.safe_pickle import BYTES_PER_BYTE, MemoryBudget, read_pickle

NPY_MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""By major version of the format: bytes of the header's length."""
MAX_HEADER_BYTES = 10_000
HEADER_FIELD = re.compile(
    r"""['"](descr|fortran_order|shape)['"]\s*:\s*(?:['"]([\w<>=|]{1,8})['"]|(True|False)|\(([\d\sL,]{0,1000})\))""", re.ASCII
)
"""A field of the header, a Python dict as text; that of a structure does not match."""
OBJECT_TYPE = "|O"
CHUNK_BYTES = 1 << 20
MAX_DIRECTORY_BYTES, MAX_MEMBERS = 8 << 20, 20_000
"""Of an archive: its directory, and files in it."""
FREE_BYTES, MAX_RATIO = 256 << 20, 50
"""An archive may unpack to this much, or to so many times its own size: weights and key points shrink to 1/20 at most."""
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Python's other ones unpack a few bytes to gigabytes in one step."""


class RefusedArchiveError(RemiError):
    """An archive is beyond the limits."""


class LimitedReads(io.BufferedReader):
    """A file that hands out no more at once than an archive's directory may have, while zipfile reads that."""

    is_limited = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to this many bytes, negative: all. Raises BadZipFile."""
        if not self.is_limited:
            return super().read(size)
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is very large")
        return super().read(MAX_DIRECTORY_BYTES if size is None or size < 0 else size)  # all: the end of the file, 64 kB


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive. Raises RefusedArchiveError, OSError, or one of DAMAGE_ERRORS."""
    with LimitedReads(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        file.is_limited = False
        check_archive(archive, path)
        yield archive


def check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise RefusedArchiveError for an archive that unpacks to very much, and BadZipFile for one that is not of these kinds."""
    members, size = archive.infolist(), path.stat().st_size
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS:
        raise RefusedArchiveError(f"{path.name} has {len(members)} files in it, at most {MAX_MEMBERS} are read; it is refused.")
    if unpacked > max(FREE_BYTES, MAX_RATIO * size):
        raise RefusedArchiveError(
            f"{path.name} would unpack to {unpacked / 1e6:.0f} MB from {size / 1e6:.1f} MB, "
            f"more than {MAX_RATIO} times its size; it is refused."
        )
    if any(member.compress_type not in ZIP_METHODS for member in members):
        raise zipfile.BadZipFile("it is compressed in another way than by deflate")
    if len({member.filename for member in members}) < len(members):
        raise zipfile.BadZipFile("it has two files of one name")


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a file of an archive for many small reads. Raises KeyError if it is missing."""
    return io.BufferedReader(cast(Any, archive.open(name)), CHUNK_BYTES)


def read_npz(path: Path, with_objects: bool = False) -> dict[str, Any]:
    """Read the arrays of an .npz by name. Raises OSError, RemiError, or one of DAMAGE_ERRORS.

    with_objects: whether arrays of objects are read too, from the pickles in them: one without axes becomes its object, others
    nested lists. Otherwise such an array is an error.
    """
    with open_archive(path) as archive:
        arrays = {}
        memory = archive_memory(sum(member.file_size for member in archive.infolist()), path.stat().st_size)
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                with open_member(archive, member.filename) as file:
                    arrays[member.filename.removesuffix(".npy")] = read_array(file, member.file_size, with_objects, memory)
        return arrays


def archive_memory(unpacked: int, size: int) -> MemoryBudget:
    """Return the memory for pickles of so many unpacked bytes in an archive of this size, bytes: few may unpack to very many."""
    return MemoryBudget(min(unpacked, size * MAX_RATIO // BYTES_PER_BYTE))


def read_npy(path: Path) -> np.ndarray:
    """Read the array of an .npy file. Raises OSError, or one of DAMAGE_ERRORS."""
    with path.open("rb") as file:
        return read_array(file, os.fstat(file.fileno()).st_size, with_objects=False)


def read_array(file: IO[bytes], size: int, with_objects: bool, memory: MemoryBudget | None = None) -> Any:
    """Read an array in NumPy's format. Raises one of DAMAGE_ERRORS.

    size: bytes that the file has from its position. memory: what its objects may take.
    """
    code, by_columns, shape, header_bytes = read_header(file)
    size -= header_bytes
    if code == OBJECT_TYPE:
        if not with_objects:
            raise ValueError("it holds objects instead of numbers")
        return read_pickle(file, size, NUMPY_CONSTRUCTORS, memory=memory)
    dtype = plain_dtype(code)
    count = array_bytes(dtype, shape)
    if count > size:
        raise EOFError(f"it has {size} bytes for an array of {count}")
    return array_from_buffer(read_bytes(file, count), dtype, shape, by_columns)


def read_header(file: IO[bytes]) -> tuple[str, bool, tuple[int, ...], int]:
    """Read the type, whether it is by columns, the shape and the length of a header. Raises ValueError."""
    start = file.read(len(NPY_MAGIC) + 2)
    length_bytes = LENGTH_BYTES.get(start[-2]) if len(start) == len(NPY_MAGIC) + 2 and start.startswith(NPY_MAGIC) else None
    if not length_bytes:
        raise ValueError("it does not begin as an array does")
    length = int.from_bytes(file.read(length_bytes), "little")
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"its header has {length} bytes")
    fields = {name: values for name, *values in HEADER_FIELD.findall(file.read(length).decode("latin1"))}
    if set(fields) != {"descr", "fortran_order", "shape"}:
        raise ValueError("it is no plain array")
    (code, _, _), (_, by_columns, _), (_, _, sizes) = (fields[name] for name in ("descr", "fortran_order", "shape"))
    if not code or not by_columns:
        raise ValueError("it is no plain array")
    shape = checked_shape(tuple(int(size.rstrip("L")) for size in sizes.replace(" ", "").split(",") if size))
    return code, by_columns == "True", shape, len(start) + length_bytes + length


def read_bytes(file: IO[bytes], count: int) -> np.ndarray:
    """Read exactly this many bytes as (N,) uint8, in pieces: nothing is copied twice. Raises EOFError."""
    data = np.empty(count, np.uint8)
    view, done = data.data, 0
    while done < count:
        piece = file.read(min(CHUNK_BYTES, count - done))
        if not piece:
            raise EOFError("it ends too early")
        view[done : done + len(piece)] = piece
        done += len(piece)
    return data
