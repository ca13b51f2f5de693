"""Importing this first makes a package that is missing one line with the command that installs it, not a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

EXIT_NOT_STARTED = 3
CHECKOUT = Path(__file__).resolve().parents[1]


def report_missing_package(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print one line for a missing package, and what Python prints for anything else."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        sys.__excepthook__(kind, error, trace)
        return
    package = error.name.partition(".")[0]
    print(f"{Path(sys.argv[0]).name} needs {package}, which is not installed: pip install -e '{CHECKOUT}[dev]'", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_NOT_STARTED)  # Python exits with 1 after this function


sys.excepthook = report_missing_package
