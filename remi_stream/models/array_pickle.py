"""Arrays in pickles: the payload of a packet, and NumPy's `.npz` archives with objects, read with the safe unpickler."""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.models.safe_pickle import (
    NUMBER_CONSTRUCTORS,
    NUMPY_CONSTRUCTORS,
    SafeUnpickler,
    UnsafePickleError,
    pickle_errors,
)

ALLOWED_OPCODES = (
    "PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT "
    "SETITEM SETITEMS BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD"
)
"""The opcodes allowed in a payload: those of arrays in plain containers, in protocols 3 to 5."""


def read_array_pickle(payload: bytes, subject: str) -> Any:
    """Read plain containers and arrays of numbers from a pickle of a few kB, which may come from an untrusted client.

    subject: the data's name in the RemiError that is raised on refused or damaged data. No code of the pickle is run.
    """
    with pickle_errors(subject, "a pickle of arrays"):
        check_opcodes(payload)
        return SafeUnpickler(io.BytesIO(payload), NUMBER_CONSTRUCTORS, arrays_only=True).load()


def check_opcodes(payload: bytes) -> None:
    """Scan a pickle without running it. Raises UnsafePickleError for other opcodes, UnpicklingError for a huge memo."""
    allowed = set(ALLOWED_OPCODES.split())
    for opcode, argument, _ in pickletools.genops(payload):
        if opcode.name not in allowed:
            raise UnsafePickleError(opcode.name)
        # The unpickler allocates its memo up to the index: a few bytes could ask for gigabytes.
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > len(payload):
            raise pickle.UnpicklingError(f"{opcode.name} {argument}")


def read_npz(path: Path) -> dict[str, Any]:
    """Read the members of an archive by name; 0-dimensional object arrays are unwrapped. Raises UsageError."""
    try:
        with pickle_errors(str(path), "an .npz archive", UsageError), zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): read_member(archive, name) for name in names}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None


def read_member(archive: zipfile.ZipFile, name: str) -> Any:
    """Read one array of an archive."""
    with archive.open(name) as file:
        array = read_object_array(file) if holds_objects(file) else None
    if array is None:
        with archive.open(name) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    return array.item() if array.dtype == object and array.ndim == 0 else array


def holds_objects(file: IO[bytes]) -> bool:
    """Read an array's header, up to its data; return whether the data is a pickle."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return bool(read(file)[2].hasobject)


def read_object_array(file: IO[bytes]) -> np.ndarray:
    """Read the object array from the pickle at the file's position."""
    array = SafeUnpickler(file, NUMPY_CONSTRUCTORS).load()
    if not isinstance(array, np.ndarray):
        raise ValueError(f"a {type(array).__name__} instead of an array")
    return array
