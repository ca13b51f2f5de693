"""Pickles with classes of packages that are not here, and as Python 2 wrote them."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any, ClassVar


class Pretended:
    """An object whose pickle says that it is of another class; `called` is that class's full name."""

    called = ""


class PretendedMap(dict[str, Any]):
    """The same for a class that is a dict, like most configurations."""

    called = ""


def pretended(called: str, kind: type = Pretended) -> type[Any]:
    """A class whose pickles say that it is this one, e.g. "yacs.config.CfgNode"."""
    return type(called.rpartition(".")[2], (kind,), {"called": called})


class Pickler(pickle._Pickler):
    """Writes classes without importing them; the names of NumPy's modules are those before NumPy 2."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write the name of a class or function, as protocol 2 does."""
        called = getattr(obj, "called", "")
        if not called and not str(getattr(obj, "__module__", "")).startswith("numpy._core"):
            super().save_global(obj, name)  # type: ignore[misc]
            return
        module, _, name = (called or f"{obj.__module__}.{obj.__qualname__}").rpartition(".")
        self.write(b"c" + module.replace("numpy._core", "numpy.core").encode() + b"\n" + name.encode() + b"\n")  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]

    dispatch: ClassVar[Any] = {**pickle._Pickler.dispatch, type: save_global}


class Python2Pickler(Pickler):
    """Writes text and bytes as the one kind of string that Python 2 had."""

    def save_string(self, obj: str | bytes) -> None:
        """Write a string with its length before it."""
        content = obj if isinstance(obj, bytes) else obj.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(content)) + content)  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]

    dispatch: ClassVar[Any] = {**Pickler.dispatch, str: save_string, bytes: save_string}


def dumps(content: Any, python2: bool = False) -> bytes:
    """The pickle of this content, protocol 2."""
    file = io.BytesIO()
    (Python2Pickler if python2 else Pickler)(file, protocol=2).dump(content)
    return file.getvalue()
