"""Safe reader of pickles, the only one: it runs the instructions itself, imports nothing and calls no code of theirs.

A pickle is a program that may call any function by its name, and may ask for gigabytes in nine bytes. Here it can build plain
containers, plain arrays and inert objects (models/pickled_objects.py), within the memory that a file of its size may need.
"""

from __future__ import annotations

import codecs
import pickle
import pickletools
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from remi_stream.errors import RemiError
from remi_stream.models.pickled_objects import (
    CONTAINER_CONSTRUCTORS,
    Constructor,
    InertObject,
    PickledArray,
    PickledDtype,
    UnsafePickleError,
    checked_key,
    resolve_name,
)

FREE_BYTES, BYTES_PER_BYTE = 256 << 20, 8
"""Memory that the pickles of a file may build: this much, and this much for each of its bytes (an int of 2 bytes takes 36)."""
MAX_NESTING = 100
"""Containers inside each other."""
MAX_ITEMS = 10_000_000
"""Items of all containers if each is counted wherever it is referred to: a list of ten lists of ten lists ... expands."""
CONTAINER_BYTES, ITEM_BYTES, PAIR_BYTES, OBJECT_BYTES, CLASS_BYTES = 120, 32, 100, 600, 2000
"""Memory of an empty container, a number or reference, a dict's item, an inert object and its class, rounded up."""
COPIES = 3
"""How often at most a constructor copies text or bytes: encoded, in this machine's byte order, and as text again."""
MAX_REASON_CHARS = 100
"""Length limit of the reason in an error message, since it may contain text of the untrusted file."""
DAMAGE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, MemoryError),
    *(OverflowError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error),
)
"""Exceptions that reading a damaged file of arrays may raise; RecursionError is a RuntimeError."""


@contextmanager
def damage_errors(subject: str, kind: str, error_type: type[RemiError] = RemiError, advice: str = "") -> Iterator[None]:
    """Turn what reading an untrusted file raises into one line, an error of this type.

    subject: what is read ("body.pkl"). kind: what it should be ("a checkpoint"). advice: a sentence for damaged data.
    """
    try:
        yield
    except UnsafePickleError as error:
        raise error_type(f"{subject} would run code when it is read (it asks for {error}); it is refused.") from None
    except OSError as error:
        raise error_type(f"{subject} cannot be read: {error.strerror or error}.") from None
    except DAMAGE_ERRORS as error:
        raise error_type(
            f"{subject} is truncated or damaged, or not {kind} ({one_line_reason(error)}).{advice and ' '}{advice}"
        ) from None


def one_line_reason(error: Exception) -> str:
    """Return an exception's text as a short line that can be printed."""
    return re.sub(r"[^ -~]", "?", str(error).partition("\n")[0])[:MAX_REASON_CHARS] or type(error).__name__


def read_pickle(
    file: IO[bytes],
    size: int,
    allowed: Mapping[str, Any],
    persistent_load: Callable[[Any], Any] | None = None,
    arrays_only: bool = False,
    memory: MemoryBudget | None = None,
) -> Any:
    """Read one pickle from the file's position. Raises UnsafePickleError, or one of DAMAGE_ERRORS.

    size: bytes that the file has from there. allowed: constructors by full name, such as those of NUMPY_CONSTRUCTORS.
    persistent_load: what a persistent id stands for. arrays_only: only these names are allowed; otherwise also those of
    CONTAINER_CONSTRUCTORS, and those of other packages become inert objects. memory: what several pickles share.
    """
    names = allowed if arrays_only else {**CONTAINER_CONSTRUCTORS, **allowed}
    value = PickleMachine(PickleInput(file, size), names, persistent_load, arrays_only, memory or MemoryBudget(size)).run()
    check_structure(value, max(MAX_ITEMS, size))
    return value


class MemoryBudget:
    """Memory that is left to the pickles of a file of this size, bytes."""

    def __init__(self, size: int) -> None:
        self._left = FREE_BYTES + BYTES_PER_BYTE * size

    def spend(self, count: int) -> None:
        """Take this many bytes of it. Raises UnpicklingError."""
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError("it takes much more memory than its size")


class PickleInput:
    """A file that is read up to its known size: a length in it that is larger is an error before anything is allocated."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self.left = file, size

    def read(self, count: int) -> bytes:
        """Read exactly this many bytes. Raises EOFError."""
        if not 0 <= count <= self.left:
            raise EOFError("it ends too early")
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError("it ends too early")
        self.left -= count
        return data

    def readline(self) -> bytes:
        """Read a line with its end. Raises EOFError."""
        line = self._file.readline(self.left)
        if not line.endswith(b"\n"):
            raise EOFError("it ends too early")
        self.left -= len(line)
        return line


class PickleMachine:
    """Runs the instructions of one pickle; pickletools describes them."""

    def __init__(
        self,
        source: PickleInput,
        names: Mapping[str, Any],
        persistent_load: Callable[[Any], Any] | None,
        arrays_only: bool,
        memory: MemoryBudget,
    ) -> None:
        self._source, self._names, self._arrays_only = source, names, arrays_only
        self._persistent_load = persistent_load
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._spend = memory.spend

    def run(self) -> Any:
        """Run the instructions up to the end, and return the value."""
        source = self._source
        while True:
            code = source.read(1)
            if code == pickle.STOP:
                return self._pop()
            name, read_argument, handle = INSTRUCTIONS[code]
            if handle is None:
                raise UnsafePickleError(name)
            self._spend(ITEM_BYTES)
            handle(self, read_argument(source) if read_argument else None)

    def _push(self, value: Any) -> None:
        if isinstance(value, str | bytes | bytearray):
            self._spend(CONTAINER_BYTES + sys.getsizeof(value))
        self._stack.append(value)

    def _pop(self) -> Any:
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def _drop(self, _: object) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._pop()

    def _drop_to_mark(self, _: object) -> None:
        self._pop_to_mark()

    def _duplicate(self, _: object) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, key: Any) -> None:
        self._spend(CONTAINER_BYTES)
        value = self._stack[-1]
        self._memo[key] = value
        if isinstance(value, PickledArray):
            value.memo_keys.append(key)

    def _memoize(self, _: object) -> None:
        self._put(len(self._memo))

    def _get(self, key: Any) -> None:
        if key not in self._memo:
            raise pickle.UnpicklingError("it refers to something that it has not made")
        self._stack.append(self._memo[key])

    def _empty_list(self, _: object) -> None:
        self._spend(CONTAINER_BYTES)
        self._stack.append([])

    def _empty_dict(self, _: object) -> None:
        self._spend(CONTAINER_BYTES)
        self._stack.append({})

    def _none(self, _: object) -> None:
        self._stack.append(None)

    def _true(self, _: object) -> None:
        self._stack.append(True)

    def _false(self, _: object) -> None:
        self._stack.append(False)

    def _empty_tuple(self, _: object) -> None:
        self._stack.append(())

    def _tuple_of(self, count: int) -> None:
        self._spend(CONTAINER_BYTES)
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise IndexError("its stack is empty")
        del self._stack[-count:]
        self._stack.append(items)

    def _tuple1(self, _: object) -> None:
        self._tuple_of(1)

    def _tuple2(self, _: object) -> None:
        self._tuple_of(2)

    def _tuple3(self, _: object) -> None:
        self._tuple_of(3)

    def _tuple(self, _: object) -> None:
        self._spend(CONTAINER_BYTES)
        self._stack.append(tuple(self._pop_to_mark()))

    def _list(self, _: object) -> None:
        self._spend(CONTAINER_BYTES)
        self._stack.append(self._pop_to_mark())

    def _dict(self, _: object) -> None:
        items = self._pop_to_mark()
        self._empty_dict(None)
        self._set(items)

    def _append(self, _: object) -> None:
        self._extend([self._pop()])

    def _appends(self, _: object) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, InertObject):  # a list of another package: only its state is kept
            raise pickle.UnpicklingError(f"it appends to a {type(target).__name__}")

    def _set_item(self, _: object) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _set_items(self, _: object) -> None:
        self._set(self._pop_to_mark())

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        content = target.items if isinstance(target, InertObject) else target
        if not isinstance(content, dict):
            raise pickle.UnpicklingError(f"it sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2]):
            self._spend(CONTAINER_BYTES)
            content[checked_key(key)] = value

    def _global(self, names: Any) -> None:
        module, _, name = names.partition(" ")
        self._push_name(module, name)

    def _stack_global(self, _: object) -> None:
        name, module = self._pop(), self._pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise pickle.UnpicklingError("a name that is no text")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        self._spend(CLASS_BYTES)
        self._stack.append(resolve_name(module, name, self._names, self._arrays_only))

    def _reduce(self, _: object) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _new_with_names(self, _: object) -> None:
        named, arguments = self._pop(), self._pop()
        self._call(self._pop(), arguments)
        if isinstance(self._stack[-1], InertObject) and isinstance(named, dict):
            self._stack[-1].state = named

    def _object(self, _: object) -> None:
        kind, *arguments = self._pop_to_mark()
        self._call(kind, tuple(arguments))

    def _instance(self, names: Any) -> None:
        arguments = tuple(self._pop_to_mark())
        self._global(names)
        self._call(self._pop(), arguments)

    def _call(self, kind: Any, arguments: Any) -> None:
        is_inert = isinstance(kind, type) and issubclass(kind, InertObject)
        if not (is_inert or isinstance(kind, Constructor)) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError("it calls something that is no function")
        self._spend(
            OBJECT_BYTES if is_inert else OBJECT_BYTES + sum(map(copied_bytes, arguments))
        )  # inert ones keep them as they are
        self._stack.append(kind(*arguments))

    def _build(self, _: object) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, PickledArray):
            self._spend(target.filled_bytes(state))
            self._stack[-1] = target.filled(state)
            self._memo.update(dict.fromkeys(target.memo_keys, self._stack[-1]))
        elif isinstance(target, PickledDtype):
            target.set_state(state)
        elif isinstance(target, InertObject):
            target.state = state

    def _persistent_text(self, key: Any) -> None:
        if self._persistent_load is None:
            raise pickle.UnpicklingError("it has a persistent id, which is not supported here")
        self._stack.append(self._persistent_load(key))

    def _persistent(self, _: object) -> None:
        self._persistent_text(self._pop())

    def _ignore(self, _: object) -> None:
        """Protocol numbers and frames say nothing that is needed."""


def copied_bytes(argument: Any) -> int:
    """Return how much memory a constructor may take for what it makes of an argument."""
    if isinstance(argument, list | tuple | dict):
        return PAIR_BYTES * len(argument)
    return COPIES * sys.getsizeof(argument) if isinstance(argument, str | bytes | bytearray) else 0


def read_quoted(source: Any) -> str:
    """Read the text of the instruction STRING, which Python 2 wrote with its escapes."""
    line = source.readline().strip()
    if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b"'", b'"'):
        raise ValueError("text without quotes")
    return codecs.escape_decode(line[1:-1])[0].decode("latin1")


Handler = Callable[[PickleMachine, Any], None]
PUSHED = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
)
"""Instructions whose argument is the value."""
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(PUSHED.split(), PickleMachine._push),
    **dict.fromkeys(("PROTO", "FRAME"), PickleMachine._ignore),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), PickleMachine._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), PickleMachine._get),
    "MEMOIZE": PickleMachine._memoize,
    "MARK": PickleMachine._mark,
    "POP": PickleMachine._drop,
    "POP_MARK": PickleMachine._drop_to_mark,
    "DUP": PickleMachine._duplicate,
    "NONE": PickleMachine._none,
    "NEWTRUE": PickleMachine._true,
    "NEWFALSE": PickleMachine._false,
    "EMPTY_TUPLE": PickleMachine._empty_tuple,
    "TUPLE1": PickleMachine._tuple1,
    "TUPLE2": PickleMachine._tuple2,
    "TUPLE3": PickleMachine._tuple3,
    "TUPLE": PickleMachine._tuple,
    "EMPTY_LIST": PickleMachine._empty_list,
    "LIST": PickleMachine._list,
    "APPEND": PickleMachine._append,
    "APPENDS": PickleMachine._appends,
    "EMPTY_DICT": PickleMachine._empty_dict,
    "DICT": PickleMachine._dict,
    "SETITEM": PickleMachine._set_item,
    "SETITEMS": PickleMachine._set_items,
    # sets are read as lists: nothing in them is hashed
    "EMPTY_SET": PickleMachine._empty_list,
    "ADDITEMS": PickleMachine._appends,
    "FROZENSET": PickleMachine._tuple,
    "GLOBAL": PickleMachine._global,
    "STACK_GLOBAL": PickleMachine._stack_global,
    "REDUCE": PickleMachine._reduce,
    "NEWOBJ": PickleMachine._reduce,
    "NEWOBJ_EX": PickleMachine._new_with_names,
    "OBJ": PickleMachine._object,
    "INST": PickleMachine._instance,
    "BUILD": PickleMachine._build,
    "PERSID": PickleMachine._persistent_text,
    "BINPERSID": PickleMachine._persistent,
}
"""What each instruction does; one that is missing here (EXT1, NEXT_BUFFER) needs something outside of the file."""
LATIN_READERS: dict[str, Callable[[Any], Any]] = {"STRING": read_quoted}
"""Readers of arguments that pickletools takes for ASCII."""
INSTRUCTIONS: dict[bytes, tuple[str, Callable[[Any], Any] | None, Handler | None]] = {
    each.code.encode("latin1"): (
        each.name,
        LATIN_READERS.get(each.name, each.arg.reader if each.arg else None),
        HANDLERS.get(each.name),
    )
    for each in pickletools.opcodes
}
"""By code: name, reader of the argument, handler."""


CONTAINERS = (list, tuple, dict, InertObject)


def check_structure(value: Any, max_items: int) -> None:
    """Raise ValueError if containers refer to themselves, are nested deeply, or expand to very many items."""
    sizes: dict[int, tuple[int, int]] = {}  # by identity of each finished container: its expanded items, and its depth
    waiting: set[int] = set()
    pending = [(value, False)] if isinstance(value, CONTAINERS) else []
    while pending:
        each, is_finished = pending.pop()
        if id(each) in sizes:
            continue
        inside = contained_values(each)
        nested = [item for item in inside if isinstance(item, CONTAINERS)]
        if not is_finished:
            if id(each) in waiting:
                raise ValueError("it contains itself")
            waiting.add(id(each))
            pending.append((each, True))
            pending.extend((item, False) for item in nested)
            continue
        found = [sizes[id(item)] for item in nested]
        items, depth = 1 + len(inside) + sum(size for size, _ in found), 1 + max((depth for _, depth in found), default=0)
        if items > max_items or depth > MAX_NESTING:
            raise ValueError(
                "it expands to very many items" if items > max_items else f"it is nested more than {MAX_NESTING} times"
            )
        sizes[id(each)] = items, depth


def contained_values(each: Any) -> list[Any]:
    """Return the values directly inside a container."""
    if isinstance(each, InertObject):
        return [each.args, each.state, each.items]
    return list(each.values()) + [key for key in each if isinstance(key, tuple)] if isinstance(each, dict) else list(each)
