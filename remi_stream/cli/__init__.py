"""What a person types."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from remi_stream.errors import USAGE, RemiError


def main() -> int:
    """Run the command line: errors that the user can mend are one line on stderr; gives the exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: its products are small, and its threads wait in a loop
    import typer

    from remi_stream.cli.app import app

    try:
        result = app(standalone_mode=False)
    except RemiError as error:
        print(f"remi-stream: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Abort:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        print(f"remi-stream: {_words(error)}", file=sys.stderr)
        return USAGE
    return result if isinstance(result, int) else 0


def _words(error: Any) -> str:
    """Give a mistake in the command line in one line, with where to read on."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "remi-stream"
    message = " ".join(error.format_message().split())
    return f"{message.rstrip('.')}. See: {where} --help"
