"""Safe unpickler for NumPy arrays: reads pickles of arrays without running code from them.

A pickle is a program that may call any function by name. Only the opcodes and names that arrays need are allowed, nothing that
the pickle names is imported, and stand-ins replace NumPy's array constructors.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.models.safe_pickle import PICKLE_ERRORS, SafeUnpickler, UnsafePickleError

ARRAY_PICKLE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError),
    *(MemoryError, OverflowError, ImportError),
)
"""Exceptions that unpickling damaged data may raise."""
ALLOWED_OPCODES = [
    "PROTO",
    "FRAME",
    "STOP",
    "MARK",
    "POP",
    "POP_MARK",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
    "EMPTY_TUPLE",
    "TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "EMPTY_LIST",
    "APPEND",
    "APPENDS",
    "EMPTY_DICT",
    "SETITEM",
    "SETITEMS",
    "BINPUT",
    "LONG_BINPUT",
    "MEMOIZE",
    "BINGET",
    "LONG_BINGET",
    "GLOBAL",
    "STACK_GLOBAL",
    "REDUCE",
    "BUILD",
]
"""The allowed opcodes: those of arrays in plain containers, in protocols 3 to 5."""
MAX_REASON_CHARS = 100
"""Length limit of the reason in an error message, since it may contain text of the untrusted pickle."""


class RefusedPickleError(Exception):
    """A pickle uses an opcode or name that no array needs; the argument is that opcode or name."""


def read_array_pickle(payload: bytes, description: str) -> Any:
    """Load a pickle safely: plain containers, and values that as_array converts to arrays.

    description: the data's name in the RemiError that is raised on refused or damaged data. No code of the pickle is run.
    """
    try:
        check_opcodes(payload)
        return ArrayUnpickler(io.BytesIO(payload)).load()
    except RefusedPickleError as error:
        raise RemiError(
            f"{description} would do more than hold arrays when it is read (it asks for {error}); it is refused."
        ) from None
    except (*ARRAY_PICKLE_ERRORS, RecursionError) as error:
        why = re.sub(r"[^ -~]", "?", str(error).partition("\n")[0])[:MAX_REASON_CHARS] or type(error).__name__
        raise RemiError(f"{description} is damaged, or no pickle of arrays ({why}).") from None


def to_array(value: object) -> np.ndarray | None:
    """Return the array that an unpickled value stands for, or None."""
    array = value.array if isinstance(value, ArrayStandIn) else value
    return array if isinstance(array, np.ndarray) else None


def check_opcodes(payload: bytes) -> None:
    """Scan a pickle without running it. Raises RefusedError for other opcodes, and for memo indices that only exhaust memory."""
    for opcode, argument, _ in pickletools.genops(payload):
        if opcode.name not in ALLOWED_OPCODES:
            raise RefusedPickleError(opcode.name)
        # The unpickler allocates its memo up to the index: a few bytes could ask for gigabytes.
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > len(payload):
            raise RefusedPickleError(f"{opcode.name} {argument}")


class ArrayUnpickler(pickle.Unpickler):
    """Unpickler that maps NumPy's array constructors to stand-ins and refuses all other names."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of one of NumPy's array constructors. Raises RefusedError for any other name."""
        full = f"{module}.{name}"
        if full not in ARRAY_FACTORIES:
            raise RefusedPickleError(full if re.fullmatch(r"[A-Za-z0-9_.]{1,60}", full) else "something that has no plain name")
        return ARRAY_FACTORIES[full]


class DtypeStandIn:
    """Stand-in for numpy.dtype; numeric types only."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: object) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[fiub][1248]", code)):
            raise ValueError(f"numbers of type {str(code)[:20]}")
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.code = ">" + self.code

    def make_array(self, numbers: bytes, shape: tuple[int, ...], order: Any) -> np.ndarray:
        """Return a read-only array of these bytes."""
        return np.frombuffer(numbers, np.dtype(self.code)).reshape(shape, order=order)


class ArrayStandIn:
    """Stand-in for numpy.ndarray, which is constructed empty and then filled (protocols 3 and 4)."""

    __slots__ = ("array",)

    def __init__(self, *_: object) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, numbers = state
        self.array = array_from_bytes(numbers, kind, shape, "F" if fortran else "C")


def array_from_bytes(numbers: bytes, dtype: DtypeStandIn, shape: tuple[int, ...], order: str) -> np.ndarray:
    """Return an array from the bytes of a pickle (protocol 5)."""
    if not isinstance(dtype, DtypeStandIn) or not isinstance(numbers, bytes | bytearray):
        raise ValueError("an array without its type or its numbers")
    return dtype.make_array(bytes(numbers), shape, order)


class ArrayFactory:
    """Immutable callable that a name in a pickle resolves to; immutable because BUILD could set its attributes."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a maker of arrays cannot be changed")

    def __call__(self, *arguments: Any) -> Any:
        """Construct the stand-in."""
        return self._make(*arguments)


ARRAY_FACTORIES = {
    "numpy.dtype": ArrayFactory(DtypeStandIn),
    "numpy.ndarray": ArrayFactory(ArrayStandIn),
    **{f"numpy.{core}.multiarray._reconstruct": ArrayFactory(ArrayStandIn) for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": ArrayFactory(array_from_bytes) for core in ("core", "_core")},
}
"""Stand-ins by qualified name, in NumPy 1 (core) and NumPy 2 (_core)."""


# Read NumPy `.npz` archives with pickled objects through the safe unpickler, without running code.


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
