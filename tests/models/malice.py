"""Pickles that would run code when Python's unpickler reads them."""

from __future__ import annotations

import builtins
import importlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Order:
    """When it is unpickled, a function is called."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.order = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.order


def orders(trace: Path) -> dict[str, Order]:
    """Ways to make a file, by the name of the function that is called."""
    return {
        "posix.system": Order(os.system, f"touch {trace}"),
        "builtins.eval": Order(builtins.eval, f"open({str(trace)!r}, 'w')"),
        "builtins.exec": Order(builtins.exec, f"open({str(trace)!r}, 'w')"),
        "subprocess.Popen": Order(subprocess.Popen, ["touch", str(trace)]),
        "builtins.getattr": Order(getattr, "text", "upper"),
        "importlib.import_module": Order(importlib.import_module, "this"),
    }


NAMES = tuple(orders(Path("x")))
