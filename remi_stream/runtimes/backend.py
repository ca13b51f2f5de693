"""TensorRT's Python module: `tensorrt`, or `tensorrt_rtx`, which has the same names; the only file that imports them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, NamedTuple

from remi_stream.errors import RemiError

BACKENDS = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}
"""Module: its name for people. TensorRT-RTX builds on a machine without a GPU, and for several kinds of GPU at once."""
INSTALL = "pip install 'remi-stream[torch,rtx]' (GeForce and RTX), or [torch,trt] from NVIDIA's index (any GPU)"


class Backend(NamedTuple):
    """module: what was imported. version: all of its numbers."""

    name: str
    module: Any
    version: str

    @property
    def title(self) -> str:
        """For people: "TensorRT-RTX 1.7.1.116"."""
        return f"{BACKENDS[self.name]} {self.version}"


class NoBackendError(RemiError):
    """No module can be imported, and why."""


def find_backend(names: tuple[str, ...] = tuple(BACKENDS)) -> Backend:
    """The first of these modules that can be imported. Raises NoBackendError with what is wrong with those that are installed."""
    faults = []
    for name in names:
        if importlib.util.find_spec(name) is None:
            continue
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:  # a missing libnvinfer.so shows as any of them
            faults.append(f"{name} does not start: {str(error).partition(chr(10))[0] or type(error).__name__}")
            continue
        if hasattr(module, "Builder") or hasattr(module, "Runtime"):
            return Backend(name, module, module.__version__)
        faults.append(f"{name} is a stub without TensorRT in it, from the wrong index")
    why = "; ".join(faults) or f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} not installed"
    raise NoBackendError(f"{why}. Install it: {INSTALL}")


def log_of(trt: Any) -> Any:
    """A logger for TensorRT that keeps what goes wrong, to be told in one line."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._faults: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self._faults.append(one_line(message))

        def reason(self) -> str:
            return self._faults[0] if self._faults else "it does not say why"

    return Log()


def one_line(text: str) -> str:
    """A message without its line breaks."""
    return " ".join(text.split())
