"""Read NumPy `.npz` archives with pickled objects through the safe unpickler, without running code."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.models.inert import PICKLE_ERRORS, SafeUnpickler, UnsafePickleError


def _from_buffer(numbers: bytes, kind: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """Construct an array as pickles of protocol 5 do."""
    return np.frombuffer(numbers, kind).reshape(shape, order="F" if order == "F" else "C")


_CORE_CONSTRUCTORS = {
    "multiarray._reconstruct": np.zeros(0).__reduce__()[0],
    "multiarray.scalar": np.float64(0).__reduce__()[0],
    "numeric._frombuffer": _from_buffer,
}
NUMPY_CONSTRUCTORS: dict[str, Any] = {
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    **{f"numpy.{core}.{name}": make for core in ("core", "_core") for name, make in _CORE_CONSTRUCTORS.items()},
}
"""The only NumPy constructors that a pickle may call, by qualified name in NumPy 1 and 2."""


def read_npz(path: Path) -> dict[str, Any]:
    """Read the members of an archive by name; 0-dimensional object arrays are unwrapped. Raises UsageError."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _member(archive, name) for name in names}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnsafePickleError as error:
        raise UsageError(f"{path} would run code when it is read (it asks for {error}); it is refused.") from None
    except (*PICKLE_ERRORS, RecursionError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise UsageError(f"{path} is no .npz archive, or it is cut off or damaged ({why}).") from None


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as file:
        array = _unpickle(file) if _holds_objects(file) else None
    if array is None:
        with archive.open(name) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    return array.item() if array.dtype == object and array.ndim == 0 else array


def _holds_objects(file: IO[bytes]) -> bool:
    """Read an array's header, up to its data; return whether the data is a pickle."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return bool(read(file)[2].hasobject)


def _unpickle(file: IO[bytes]) -> np.ndarray:
    """Read the object array from the pickle at the file's position."""
    array = SafeUnpickler(file, NUMPY_CONSTRUCTORS).load()
    if not isinstance(array, np.ndarray):
        raise ValueError(f"a {type(array).__name__} stands where an array should")
    return array
