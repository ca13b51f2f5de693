"""Writes pickles that refer to classes of packages that are not installed, also in Python 2's format."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any, ClassVar


class Stub:
    """An object that is pickled as an instance of another class; `full_name`: full name of that class."""

    full_name = ""


class StubMap(dict[str, Any]):
    """The same for a subclass of dict, as most configurations are."""

    full_name = ""


def stub_class(full_name: str, kind: type = Stub) -> type[Any]:
    """Make a class that is pickled under a full name, e.g. "yacs.config.CfgNode"."""
    return type(full_name.rpartition(".")[2], (kind,), {"full_name": full_name})


class Pickler(pickle._Pickler):
    """Pickler that writes class names without importing them, and NumPy's module names from before NumPy 2."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write a global by name, as in protocol 2."""
        full_name = getattr(obj, "full_name", "")
        if not full_name and not str(getattr(obj, "__module__", "")).startswith("numpy._core"):
            super().save_global(obj, name)  # type: ignore[misc]
            return
        module, _, name = (full_name or f"{obj.__module__}.{obj.__qualname__}").rpartition(".")
        self.write(b"c" + module.replace("numpy._core", "numpy.core").encode() + b"\n" + name.encode() + b"\n")  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]

    dispatch: ClassVar[Any] = {**pickle._Pickler.dispatch, type: save_global}


class Python2Pickler(Pickler):
    """Pickler that writes str and bytes as Python 2 strings."""

    def save_string(self, obj: str | bytes) -> None:
        """Write a length-prefixed string."""
        content = obj if isinstance(obj, bytes) else obj.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(content)) + content)  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]

    dispatch: ClassVar[Any] = {**Pickler.dispatch, str: save_string, bytes: save_string}


def dumps(content: Any, python2: bool = False) -> bytes:
    """Pickle content with protocol 2."""
    file = io.BytesIO()
    (Python2Pickler if python2 else Pickler)(file, protocol=2).dump(content)
    return file.getvalue()
