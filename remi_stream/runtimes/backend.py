"""TensorRT backends: the Python modules `tensorrt` and `tensorrt_rtx`, which share one API; only this file imports them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, NamedTuple

from remi_stream.errors import RemiError

BACKEND_TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}
"""Module name -> title. TensorRT-RTX builds without a GPU, and for several GPU architectures at once."""
INSTALL_HINT = "pip install 'remi-stream[torch,rtx]' (GeForce and RTX), or [torch,trt] from NVIDIA's index (any GPU)"


class TensorRtBackend(NamedTuple):
    """An imported TensorRT module."""

    name: str
    """Module name: "tensorrt_rtx"."""
    module: Any
    version: str
    """Complete version: "1.7.1.116"."""

    @property
    def title(self) -> str:
        """Title with version: "TensorRT-RTX 1.7.1.116"."""
        return f"{BACKEND_TITLES[self.name]} {self.version}"


class NoBackendError(RemiError):
    """No TensorRT module can be imported; the message says why."""


def find_backend(names: tuple[str, ...] = tuple(BACKEND_TITLES)) -> TensorRtBackend:
    """Return the first of these modules that imports. Raises NoBackendError with the import errors."""
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
            return TensorRtBackend(name, module, module.__version__)
        faults.append(f"{name} is a stub without TensorRT in it, from the wrong index")
    why = "; ".join(faults) or f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} not installed"
    raise NoBackendError(f"{why}. Install it: {INSTALL_HINT}")


def make_error_logger(trt: Any) -> Any:
    """Make a TensorRT logger that keeps errors; `reason()` returns the first one as a single line."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._faults: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self._faults.append(one_line(message))

        def reason(self) -> str:
            return self._faults[0] if self._faults else "no reason was logged"

    return Log()


def one_line(text: str) -> str:
    """Return a message with its line breaks replaced by spaces."""
    return " ".join(text.split())
