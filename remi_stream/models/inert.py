"""Pickles read without running anything: what they ask for is built from a short list, stood in for, or refused.

A pickle is a program that may call any function by its name. Here a name never leads to an import: the few that data needs are
in a table, those of other packages (configurations, optimisers, chumpy arrays) become inert records that keep what they are
given, and those of Python's own library, where the dangerous ones are, are refused.
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

HARMLESS = {
    "argparse": "Namespace",
    "types": "SimpleNamespace",
    "pathlib": "Path PosixPath PurePosixPath WindowsPath PureWindowsPath",
    "datetime": "datetime timedelta date",
    "collections": "Counter deque",
    "functools": "partial",
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
}
"""Names of Python's own library that are only stood in for, like those of other packages."""
CODE = frozenset({*sys.stdlib_module_names, "torch"})
"""Packages whose names are refused unless a table allows them."""
BROKEN = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, MemoryError),
    *(OverflowError, ImportError),
)
"""What reading a damaged pickle may raise."""


class RunsCodeError(RemiError):
    """A pickle asks for a function that no data needs; its one argument is that function's name."""


class Inert:
    """Stands for an object of another package: it keeps what the pickle gives it, and does nothing."""

    def __new__(cls, *_args: Any, **_named: Any) -> Inert:
        """Take any arguments."""
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
        """Take an item of a list."""

    def extend(self, _items: Any) -> None:
        """Take items of a list."""

    def field(self, name: str) -> Any:
        """One of the fields that the pickle has set; None if there is none."""
        state = getattr(self, "state", None)
        return state.get(name) if isinstance(state, dict) else None


@functools.lru_cache(maxsize=1024)
def inert(name: str) -> type[Inert]:
    """The class that stands for the one of this full name."""
    return type(name, (Inert,), {})


def encode(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as protocol 2 writes them; stands for _codecs.encode, which knows more than letters."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise RunsCodeError(f"_codecs.encode ({encoding})")
    return text.encode(encoding)


def reconstruct(kind: type, *_state: Any) -> Any:
    """An object of protocol 0 and 1; stands for copyreg._reconstructor."""
    return kind.__new__(kind) if issubclass(kind, Inert) else Inert()


ALWAYS: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": lambda *_factory: {},
    "_codecs.encode": encode,
    "copyreg._reconstructor": reconstruct,
}


class InertUnpickler(pickle.Unpickler):
    """Reads a pickle; allowed: what may be called besides, by full name. found: every name that was asked for."""

    def __init__(
        self,
        file: IO[bytes],
        allowed: Mapping[str, Any],
        persistent_load: Callable[[Any], Any] | None = None,
        encoding: str = "latin1",
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._allowed = {**ALWAYS, **allowed}
        self._persistent = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up without importing anything. Raises RunsCodeError."""
        module, name = NAME_MAPPING.get((module, name), (module, name))  # as Python 2 called it
        module = IMPORT_MAPPING.get(module, module)
        full = f"{module}.{name}"
        if full in self._allowed:
            return self._allowed[full]
        if module.partition(".")[0] in CODE and name not in HARMLESS.get(module, "").split():
            raise RunsCodeError(full)
        return inert(full)

    def persistent_load(self, key: Any) -> Any:
        """Give what the pickle keeps outside of itself."""
        if self._persistent is None:
            raise pickle.UnpicklingError("it refers to something outside of itself")
        return self._persistent(key)
