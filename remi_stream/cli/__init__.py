"""What a person types."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from remi_stream.cli.stop import STOPPED, Stop
from remi_stream.errors import NOT_STARTED, USAGE, RemiError


def main() -> int:
    """Run the command line: errors that the user can mend are one line on stderr; gives the exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: its products are small, and its threads wait in a loop
    stop = Stop()
    try:
        import typer

        from remi_stream.cli.app import app

        result = app(standalone_mode=False)
    except KeyboardInterrupt:  # before there is a command that could hear it
        return STOPPED
    except RemiError as error:
        print(f"remi-stream: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Abort:
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:  # of looking whether something is there: what is read and written says so itself
        if not error.filename:
            raise
        from remi_stream.mounts import why_unreadable

        print(f"remi-stream: Cannot look at {error.filename}: {why_unreadable(Path(error.filename))}", file=sys.stderr)
        return NOT_STARTED
    except Exception as error:
        if stop.heard:  # what was interrupted may end by an error of its own
            return STOPPED
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
