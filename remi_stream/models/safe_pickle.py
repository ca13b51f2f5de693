"""Safe unpickler: reads pickles without importing or running code from them.

A pickle is a program that may call any function by its name. Here a name never leads to an import: an allow-list has the few
that data needs, names of other packages (configurations, optimisers, chumpy arrays) become inert objects that only keep their
state, and names of Python's standard library, where the dangerous ones are, are refused.
"""

from __future__ import annotations

import collections
import functools
import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from typing import IO, Any

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
PICKLE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, MemoryError),
    *(OverflowError, ImportError),
)
"""Exceptions that reading a damaged pickle may raise."""


class UnsafePickleError(RemiError):
    """A pickle refers to a function that no data needs; the argument is that function's name."""


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


def encode_text(text: str, encoding: str = "latin1") -> bytes:
    """Replace _codecs.encode, with which protocol 2 writes bytes; only text encodings are allowed."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnsafePickleError(f"_codecs.encode ({encoding})")
    return text.encode(encoding)


def reconstruct_object(kind: type, *_state: Any) -> Any:
    """Replace copyreg._reconstructor, which builds objects in protocols 0 and 1."""
    return kind.__new__(kind) if issubclass(kind, InertObject) else InertObject()


ALLOWED_NAMES: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": lambda *_factory: {},
    "_codecs.encode": encode_text,
    "copyreg._reconstructor": reconstruct_object,
}


class SafeUnpickler(pickle.Unpickler):
    """Unpickler that imports nothing. allowed: further callables by full name."""

    def __init__(
        self,
        file: IO[bytes],
        allowed: Mapping[str, Any],
        persistent_load: Callable[[Any], Any] | None = None,
        encoding: str = "latin1",
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._allowed = {**ALLOWED_NAMES, **allowed}
        self._persistent = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name without importing anything. Raises UnsafePickleError."""
        module, name = NAME_MAPPING.get((module, name), (module, name))  # Python 2 names
        module = IMPORT_MAPPING.get(module, module)
        full = f"{module}.{name}"
        if full in self._allowed:
            return self._allowed[full]
        if module.partition(".")[0] in REFUSED_PACKAGES and name not in STAND_IN_NAMES.get(module, "").split():
            raise UnsafePickleError(full)
        return inert_class(full)

    def persistent_load(self, key: Any) -> Any:
        """Resolve a persistent id, such as a tensor's storage."""
        if self._persistent is None:
            raise pickle.UnpicklingError("it has a persistent id, which is not supported here")
        return self._persistent(key)
