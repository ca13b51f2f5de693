"""Safe unpickler: the one reader of all pickles, which imports nothing and runs no code of theirs.

A pickle is a program that may call any function by its name. Here a name never leads to an import: tables have the few that data
needs. Names of other packages (configurations, optimisers, chumpy arrays) become inert objects that only keep their state, or are
refused where nothing but arrays is expected; names of Python's standard library, where the dangerous ones are, are refused.
NumPy's own constructors are replaced too: a pickle could set the fields of a real numpy.dtype to values that NumPy trusts.
"""

from __future__ import annotations

import collections
import functools
import math
import pickle
import re
import sys
import zipfile
import zlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from remi_stream.errors import RemiError

STAND_IN_NAMES = {
    "argparse": "Namespace",
    "types": "SimpleNamespace",
    "pathlib": "Path PosixPath PurePosixPath WindowsPath PureWindowsPath",
    "datetime": "datetime timedelta date",
    "collections": "Counter deque",
    "functools": "partial",
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
}
"""Names of the standard library that become inert objects, like those of other packages."""
REFUSED_PACKAGES = frozenset({*sys.stdlib_module_names, "torch"})
"""Packages whose names are refused unless a table allows them."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]{1,60}")
"""Names that an error message may repeat."""
MAX_REASON_CHARS = 100
"""Length limit of the reason in an error message, since it may contain text of the untrusted pickle."""
PICKLE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, MemoryError),
    *(OverflowError, ImportError, RuntimeError, zipfile.BadZipFile, zlib.error),
)
"""Exceptions that reading a damaged pickle, or the archive around it, may raise; RecursionError is a RuntimeError."""


class UnsafePickleError(RemiError):
    """A pickle needs something that no data needs; the argument is the name of that function or opcode."""


@contextmanager
def pickle_errors(subject: str, kind: str, error_type: type[RemiError] = RemiError, advice: str = "") -> Iterator[None]:
    """Turn what reading an untrusted pickle raises into one line, an error of this type.

    subject: what is read ("body.pkl"). kind: what it should be ("a checkpoint"). advice: a sentence for damaged data.
    """
    try:
        yield
    except UnsafePickleError as error:
        raise error_type(f"{subject} would run code when it is read (it asks for {error}); it is refused.") from None
    except PICKLE_ERRORS as error:
        reason = re.sub(r"[^ -~]", "?", str(error).partition("\n")[0])[:MAX_REASON_CHARS] or type(error).__name__
        raise error_type(f"{subject} is truncated or damaged, or not {kind} ({reason}).{advice and ' '}{advice}") from None


class SafeUnpickler(pickle.Unpickler):
    """Unpickler that imports nothing. allowed: callables by full name, such as those of NUMPY_CONSTRUCTORS.

    arrays_only: only these names are allowed; otherwise also those of CONTAINER_CONSTRUCTORS, and those of other packages become
    inert objects.
    """

    def __init__(
        self,
        file: IO[bytes],
        allowed: Mapping[str, Any],
        persistent_load: Callable[[Any], Any] | None = None,
        arrays_only: bool = False,
    ) -> None:
        super().__init__(file, encoding="latin1")  # how Python 2's bytes become text without a loss
        self._allowed = allowed if arrays_only else {**CONTAINER_CONSTRUCTORS, **allowed}
        self._arrays_only, self._persistent = arrays_only, persistent_load

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name without importing anything. Raises UnsafePickleError."""
        module, name = NAME_MAPPING.get((module, name), (module, name))  # Python 2 names
        module = IMPORT_MAPPING.get(module, module)
        full = f"{module}.{name}"
        if full in self._allowed:
            return self._allowed[full]
        is_refused = module.partition(".")[0] in REFUSED_PACKAGES and name not in STAND_IN_NAMES.get(module, "").split()
        if is_refused or self._arrays_only:
            raise UnsafePickleError(full if PLAIN_NAME.fullmatch(full) else "something that has no plain name")
        return inert_class(full)

    def persistent_load(self, key: Any) -> Any:
        """Resolve a persistent id, such as a tensor's storage."""
        if self._persistent is None:
            raise pickle.UnpicklingError("it has a persistent id, which is not supported here")
        return self._persistent(key)


class InertObject:
    """Stand-in for an object of another package: keeps its pickled state and does nothing."""

    def __new__(cls, *_args: Any, **_named: Any) -> InertObject:
        """Accept any arguments."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **named: Any) -> None:
        self.args: tuple[Any, ...] = args
        self.state: Any = dict(named)
        self.items: dict[Any, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.__dict__.setdefault("items", {})
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__.setdefault("items", {})[key] = value

    def append(self, _item: Any) -> None:
        """Ignore an item of a list."""

    def extend(self, _items: Any) -> None:
        """Ignore items of a list."""

    def field(self, name: str) -> Any:
        """Return a field of the pickled state; None if it is missing."""
        state = getattr(self, "state", None)
        return state.get(name) if isinstance(state, dict) else None


@functools.lru_cache(maxsize=1024)
def inert_class(name: str) -> type[InertObject]:
    """Return the stand-in class for the class of this full name."""
    return type(name, (InertObject,), {})


class Constructor:
    """Callable that a name in a pickle resolves to; immutable because a pickle may set attributes of what it names."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a constructor cannot be changed")

    def __call__(self, *arguments: Any) -> Any:
        """Construct the value."""
        return self._make(*arguments)


class UnpickledDtype:
    """Stand-in for numpy.dtype: numbers, text or objects, of which a pickle sets nothing but the byte order."""

    __slots__ = ("dtype",)

    def __init__(self, code: str, *_: object) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[fiubc]\d+|[SU]\d+|O8?", code)):
            raise ValueError(f"numbers of type {str(code)[:20]}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


def number_dtype(code: str, *_: object) -> UnpickledDtype:
    """Return the dtype of plain numbers. Raises ValueError for any other."""
    if not (isinstance(code, str) and re.fullmatch(r"[fiub][1248]", code)):
        raise ValueError(f"numbers of type {str(code)[:20]}")
    return UnpickledDtype(code)


class UnpickledArray(np.ndarray):
    """Array that is constructed empty and then filled, as protocols before 5 do; its content is checked before NumPy gets it."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state[-5:]
        if not isinstance(kind, UnpickledDtype):
            raise ValueError("an array without its type")
        if kind.dtype.hasobject:
            # NumPy does not check the length of this list.
            if not isinstance(content, list) or min(shape, default=0) < 0 or len(content) != math.prod(shape):
                raise ValueError("an array of objects without them")
        else:
            content = raw_bytes(content)
        super().__setstate__((1, shape, kind.dtype, bool(fortran), content))  # type: ignore[arg-type]

    def __reduce__(self) -> Any:
        """Pickle as a plain array, for other processes."""
        return np.asarray(self).__reduce__()


def empty_array(*_: object) -> UnpickledArray:
    """Return an array to be filled, whatever shape the pickle asks for."""
    return UnpickledArray(0)


def array_from_bytes(content: Any, kind: UnpickledDtype, shape: tuple[int, ...], order: str, *_: object) -> np.ndarray:
    """Return a read-only array from the bytes of a pickle (protocol 5)."""
    if not isinstance(kind, UnpickledDtype):
        raise ValueError("an array without its type")
    return np.frombuffer(raw_bytes(content), kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def scalar_from_bytes(kind: UnpickledDtype, content: Any = b"") -> Any:
    """Return a NumPy scalar from the bytes of a pickle."""
    if not isinstance(kind, UnpickledDtype):
        raise ValueError("a number without its type")
    return content if kind.dtype.hasobject else np.frombuffer(raw_bytes(content), kind.dtype)[0]


def raw_bytes(content: Any) -> bytes:
    """Return an array's bytes, which Python 2 wrote as text. Raises ValueError."""
    if isinstance(content, str):
        return content.encode("latin1")
    if not isinstance(content, bytes | bytearray):
        raise ValueError("an array without its numbers")
    return bytes(content)


def encode_text(text: str, encoding: str = "latin1") -> bytes:
    """Replace _codecs.encode, with which protocol 2 writes bytes; only text encodings are allowed."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnsafePickleError(f"_codecs.encode ({encoding})")
    return text.encode(encoding)


def reconstruct_object(kind: type, *_state: Any) -> Any:
    """Replace copyreg._reconstructor, which builds objects in protocols 0 and 1."""
    return kind.__new__(kind) if issubclass(kind, InertObject) else InertObject()


CONTAINER_CONSTRUCTORS: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": Constructor(lambda *_factory: {}),
    "_codecs.encode": Constructor(encode_text),
    "copyreg._reconstructor": Constructor(reconstruct_object),
}
"""Replacements of the standard library's constructors, by full name."""
NUMBER_CONSTRUCTORS: dict[str, Any] = {
    "numpy.dtype": Constructor(number_dtype),
    "numpy.ndarray": Constructor(empty_array),
    **{f"numpy.{core}.multiarray._reconstruct": Constructor(empty_array) for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": Constructor(array_from_bytes) for core in ("core", "_core")},
}
"""Replacements of NumPy's constructors for arrays of numbers, by full name in NumPy 1 (core) and NumPy 2 (_core)."""
NUMPY_CONSTRUCTORS: dict[str, Any] = {
    **NUMBER_CONSTRUCTORS,
    "numpy.dtype": Constructor(UnpickledDtype),
    **{f"numpy.{core}.multiarray.scalar": Constructor(scalar_from_bytes) for core in ("core", "_core")},
}
"""The same for arrays of numbers, text and objects, and for NumPy's scalars."""
