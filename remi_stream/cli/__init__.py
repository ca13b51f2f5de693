"""Command line of remi-stream."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from remi_stream.errors import EXIT_INTERRUPTED, EXIT_NOT_STARTED, EXIT_USAGE, RemiError
from remi_stream.redaction import printable, redact


class InterruptFlag:
    """Remembers SIGINT: a KeyboardInterrupt alone may be lost, or replaced by another exception, during an import.

    The second SIGINT ends the process even while a thread hangs: the kernel does it, since Python's handlers wait for the main
    thread.
    """

    def __init__(self) -> None:
        self.is_set = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            _reset_at_first_signal(signal.SIGINT)

    def raise_if_set(self) -> None:
        """Raise KeyboardInterrupt if SIGINT came and was swallowed."""
        if self.is_set:
            raise KeyboardInterrupt

    def _handle(self, *_: object) -> None:
        self.is_set = True
        raise KeyboardInterrupt


def _reset_at_first_signal(number: int) -> None:
    """Let the kernel restore the default action when the signal's handler is called."""
    libc, python = ctypes.CDLL(None), ctypes.pythonapi
    if hasattr(libc, "sysv_signal"):  # glibc's name for a handler with SA_RESETHAND
        python.PyOS_getsig.restype = libc.sysv_signal.restype = ctypes.c_void_p
        libc.sysv_signal(number, ctypes.c_void_p(python.PyOS_getsig(number)))


def main() -> int:
    """Run the command line and return the exit code; a `RemiError` is printed as one line on stderr."""
    # Before NumPy is loaded: our matrix products are small, and idle BLAS threads spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.excepthook = _print_traceback
    interrupt = InterruptFlag()
    try:
        import typer

        from remi_stream.cli.app import app

        result = app(standalone_mode=False)
    except KeyboardInterrupt:  # Ctrl-C during the imports, before a command can handle it
        return EXIT_INTERRUPTED
    except RemiError as error:
        _print_error(str(error))
        return error.exit_code
    except typer.Abort:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout at exit, and its reader is gone
        return 0
    except PermissionError as error:  # from exists() or stat(); reads and writes raise a RemiError of their own
        if not error.filename:
            raise
        from remi_stream.permission_hints import read_error_hint

        _print_error(f"Cannot access {error.filename}: {read_error_hint(Path(error.filename))}")
        return EXIT_NOT_STARTED
    except Exception as error:
        if interrupt.is_set:  # an interrupted import may end with any exception
            return EXIT_INTERRUPTED
        # A usage error. Which class it has depends on the version of Typer: newer ones bring their own copy of Click.
        if not hasattr(error, "format_message"):
            raise
        if error.format_message().strip():  # empty without a command: the help was printed
            _print_error(_usage_message(error))
        return EXIT_USAGE
    return result if isinstance(result, int) else 0


def _print_error(text: str) -> None:
    """Print an error without credentials and control characters: it may quote files and other machines."""
    shown = "\n".join(map(printable, redact(text).split("\n")))
    print(f"remi-stream: {shown}", file=sys.stderr)


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of our own mistake, with credentials masked: arguments and settings are part of its text."""
    print(redact("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def _usage_message(error: Any) -> str:
    """One line for a mistake on the command line, with the --help to read."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "remi-stream"
    message = " ".join(error.format_message().split())
    return f"{message.rstrip('.')}. See: {where} --help"
