"""Objects that a pickle may build: arrays, plain containers, and inert stand-ins for those of other packages.

Names never lead to an import. Tables have the few that data needs. Names of other packages (configurations, optimisers, chumpy
arrays) become inert objects that only keep their state, or are refused where nothing but arrays is expected; names of Python's
standard library, where the dangerous ones are, are refused.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from typing import Any

from remi_stream.errors import RemiError
from remi_stream.models.plain_arrays import array_from_buffer, checked_shape, plain_dtype

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
LIST_BYTES, REFERENCE_BYTES = 64, 8
"""Memory of a list and of each of its items."""
MAX_OBJECT_AXES = 5
"""Of an array of objects, which becomes nested lists; those of the data sets have 0 or 1."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]{1,60}")
"""Names that an error message may repeat."""


class UnsafePickleError(RemiError):
    """A pickle needs something that no data needs; the argument is the name of that function or opcode."""


class InertObject:
    """Stand-in for an object of another package: keeps its pickled state and does nothing."""

    def __init__(self, *args: Any) -> None:
        self.args: tuple[Any, ...] = args
        self.state: Any = None
        self.items: dict[Any, Any] = {}

    def field(self, name: str) -> Any:
        """Return a field of the pickled state; None if it is missing."""
        return self.state.get(name) if isinstance(self.state, dict) else None


@functools.lru_cache(maxsize=1024)
def inert_class(name: str) -> type[InertObject]:
    """Return the stand-in class for the class of this full name."""
    return type(name, (InertObject,), {})


class Constructor:
    """Callable that a name in a pickle resolves to."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        """Construct the value."""
        return self._make(*arguments)


def resolve_name(module: str, name: str, allowed: Mapping[str, Any], arrays_only: bool) -> Any:
    """Return what a name in a pickle stands for, without importing anything. Raises UnsafePickleError.

    allowed: constructors by full name. arrays_only: whether all other names are refused.
    """
    module, name = NAME_MAPPING.get((module, name), (module, name))  # Python 2 names
    module = IMPORT_MAPPING.get(module, module)
    full = f"{module}.{name}"
    if full in allowed:
        return allowed[full]
    is_refused = module.partition(".")[0] in REFUSED_PACKAGES and name not in STAND_IN_NAMES.get(module, "").split()
    if is_refused or arrays_only:
        raise UnsafePickleError(full if PLAIN_NAME.fullmatch(full) else "something that has no plain name")
    return inert_class(full)


class PickledDtype:
    """Stand-in for numpy.dtype: plain numbers or text, or objects, of which a pickle sets nothing but the byte order."""

    __slots__ = ("_code", "_order", "holds_objects")

    def __init__(self, code: Any = "", *_: object) -> None:
        self.holds_objects = code in ("O", "O8", "|O")
        if not self.holds_objects:
            plain_dtype(code)
        self._code, self._order = str(code), "<"

    def set_state(self, state: Any) -> None:
        """Set the byte order. Raises ValueError for a structure."""
        if not isinstance(state, tuple) or any(field is not None for field in state[2:5]):
            raise ValueError("numbers of a type with fields")
        self._order = ">" if state[1] == ">" else "<"

    def array(self, content: Any, shape: Any, by_columns: bool) -> Any:
        """Return the array of these bytes, which Python 2 wrote as text; of objects nested lists. Raises ValueError."""
        if self.holds_objects:
            return nested_lists(content, checked_shape(shape))
        data = content.encode("latin1") if isinstance(content, str) else content
        if not isinstance(data, bytes | bytearray):
            raise ValueError("an array without its numbers")
        return array_from_buffer(data, plain_dtype(self._order + self._code.lstrip("<>=|")), shape, by_columns)


def nested_lists_bytes(shape: tuple[int, ...]) -> int:
    """Return how much memory an array of objects takes as nested lists, without the objects."""
    return sum(math.prod(shape[:depth]) * (LIST_BYTES + REFERENCE_BYTES * size) for depth, size in enumerate(shape) if depth)


def nested_lists(items: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of objects as nested lists; the object itself if it has no axes. Raises ValueError."""
    if len(shape) > MAX_OBJECT_AXES:
        raise ValueError(f"an array of objects with {len(shape)} axes")
    if not isinstance(items, list) or len(items) != math.prod(shape) or 0 in shape[1:]:
        raise ValueError("an array of objects without them")
    for size in reversed(shape[1:]):
        items = [items[start : start + size] for start in range(0, len(items), size)]
    return items if shape else items[0]


class PickledArray:
    """Array that is constructed empty and then filled, as protocols before 5 do; takes whatever shape it is constructed with."""

    __slots__ = ("memo_keys",)

    def __init__(self, *_: object) -> None:
        self.memo_keys: list[int] = []

    def filled(self, state: Any) -> Any:
        """Return the array of its state. Raises ValueError."""
        shape, kind, by_columns, content = array_state(state)
        return pickled_dtype(kind).array(content, shape, bool(by_columns))

    def filled_bytes(self, state: Any) -> int:
        """Return how much memory `filled` may take. Raises ValueError."""
        shape, kind, _, content = array_state(state)
        if pickled_dtype(kind).holds_objects:
            return nested_lists_bytes(checked_shape(shape))
        # of text its bytes too, and of any the numbers in this machine's form
        return len(content) * (2 if isinstance(content, str) else 1) if isinstance(content, str | bytes | bytearray) else 0


def array_state(state: Any) -> tuple[Any, Any, Any, Any]:
    """Return shape, type, whether it is by columns, and content of an array's state. Raises ValueError."""
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise ValueError("an array without its state")
    return state[-4], state[-3], state[-2], state[-1]


def pickled_dtype(kind: Any) -> PickledDtype:
    """Return the type of an array. Raises ValueError for anything else."""
    if not isinstance(kind, PickledDtype):
        raise ValueError("an array without its type")
    return kind


def number_dtype(code: Any, *_: object) -> PickledDtype:
    """Return the type of plain numbers. Raises ValueError for any other."""
    if not (isinstance(code, str) and re.fullmatch(r"[fiub][1248]", code)):
        raise ValueError(f"numbers of type {str(code)[:20]}")
    return PickledDtype(code)


def array_from_bytes(content: Any, kind: Any, shape: Any, order: Any = "C", *_: object) -> Any:
    """Return an array from the bytes of a pickle (protocol 5)."""
    if pickled_dtype(kind).holds_objects:
        raise ValueError("an array of objects without them")
    return kind.array(content, shape, order == "F")


def scalar_from_bytes(kind: Any, content: Any = b"") -> Any:
    """Return a NumPy scalar from the bytes of a pickle, as a Python number or text."""
    return content if pickled_dtype(kind).holds_objects else kind.array(content, (), False).item()


def encode_text(text: Any, encoding: Any = "latin1") -> bytes:
    """Replace _codecs.encode, with which protocol 2 writes bytes; only text encodings are allowed."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnsafePickleError(f"_codecs.encode ({str(encoding)[:20]!a})")
    if not isinstance(text, str):
        raise ValueError("bytes that were no text")
    return text.encode(encoding)


def plain_dict(pairs: Any = ()) -> dict[Any, Any]:
    """Replace collections.OrderedDict, of which Python 2 writes the pairs. Raises ValueError."""
    content: dict[Any, Any] = {}
    for pair in pairs if isinstance(pairs, list | tuple) else pairs.items() if isinstance(pairs, dict) else ():
        key, value = pair
        content[checked_key(key)] = value
    return content


def checked_key(key: Any) -> Any:
    """Return a key of a dict. Raises ValueError for nested tuples: Python's hash of deep ones overflows the stack."""
    if isinstance(key, tuple) and any(isinstance(part, tuple) for part in key):
        raise ValueError("a key of nested tuples")
    return key


def reconstruct_object(kind: Any = None, *_state: Any) -> InertObject:
    """Replace copyreg._reconstructor, which builds objects in protocols 0 and 1."""
    return kind() if isinstance(kind, type) and issubclass(kind, InertObject) else InertObject()


CONTAINER_CONSTRUCTORS: dict[str, Any] = {
    "collections.OrderedDict": Constructor(plain_dict),
    "collections.defaultdict": Constructor(lambda *_factory: {}),
    "_codecs.encode": Constructor(encode_text),
    "copyreg._reconstructor": Constructor(reconstruct_object),
}
"""Replacements of the standard library's constructors, by full name."""
NUMBER_CONSTRUCTORS: dict[str, Any] = {
    "numpy.dtype": Constructor(number_dtype),
    "numpy.ndarray": Constructor(PickledArray),
    **{f"numpy.{core}.multiarray._reconstruct": Constructor(PickledArray) for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": Constructor(array_from_bytes) for core in ("core", "_core")},
}
"""Replacements of NumPy's constructors for arrays of numbers, by full name in NumPy 1 (core) and NumPy 2 (_core)."""
NUMPY_CONSTRUCTORS: dict[str, Any] = {
    **NUMBER_CONSTRUCTORS,
    "numpy.dtype": Constructor(PickledDtype),
    **{f"numpy.{core}.multiarray.scalar": Constructor(scalar_from_bytes) for core in ("core", "_core")},
}
"""The same for arrays of numbers, text and objects, and for NumPy's scalars."""
