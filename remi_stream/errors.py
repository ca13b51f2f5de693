"""Errors for the user: one line and an exit code, no traceback."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import signal
from collections.abc import Iterable, Iterator

EXIT_DONE, EXIT_CRASHED, EXIT_USAGE, EXIT_NOT_STARTED, EXIT_GAVE_UP = 0, 1, 2, 3, 4
"""Exit codes of processes."""
EXIT_INTERRUPTED = 128 + signal.SIGINT
"""Exit code after SIGINT: 128 + signal number, as in a shell."""


class RemiError(Exception):
    """Base of user errors: one line with the value got, the values allowed and the remedy."""

    exit_code = EXIT_NOT_STARTED
    retry_after_s = 0.0
    """Shortest time until a stage that it ended is tried again, s; a camera may lock an account after some wrong passwords."""


class UsageError(RemiError):
    """Invalid command line or configuration."""

    exit_code = EXIT_USAGE


@contextlib.contextmanager
def reading_answer(name: str) -> Iterator[None]:
    """Raise RemiError if an answer of the daemon of this name does not have the form that the block expects."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RemiError(
            f"{name} does not answer as a remi-stream of this version ({type(error).__name__}: {error}). "
            "Use the same version on both sides"
        ) from error


def unknown_name_error(kind: str, got: str, known: Iterable[str]) -> UsageError:
    """Build the error for an unknown name, with the closest match and all known names."""
    names = sorted(known)
    return UsageError(f"Unknown {kind} '{got}'.{closest_name_text(got, names)} Known: {', '.join(names) or 'none'}.")


def closest_name_text(got: str, names: Iterable[str]) -> str:
    """Return the question whether the closest of these names was meant, whatever its case and separators; empty if none is."""
    plain = {name.lower().replace("-", "_"): name for name in names}
    near = difflib.get_close_matches(got.lower().replace("-", "_"), plain, 1)
    return f" Did you mean '{plain[near[0]]}'?" if near else ""


def port_in_use_error(port: int | str) -> RemiError:
    """Build the error for a port of ours that another program has."""
    return RemiError(f"Port {port} is in use, by another remi-stream or another program. Stop it, or start this one with --name")


def listen_error(what: str, host: str, port: int, error: OSError) -> RemiError:
    """Build the error for an address that a server cannot listen on: the port is in use, or it is another machine's."""
    if error.errno == errno.EADDRINUSE:
        return port_in_use_error(port)
    # socket.create_server appends the address to the system's text; the errors of getaddrinfo have numbers below 0.
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return RemiError(f"Cannot serve {what} on {host}:{port}: {reason}. Give an address of this machine (0.0.0.0: all of them)")
