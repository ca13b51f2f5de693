"""Errors that are for the user to mend: one line, an exit code, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DONE, CRASHED, USAGE, NOT_STARTED, GAVE_UP = 0, 1, 2, 3, 4


class RemiError(Exception):
    """What was got, what is allowed, what to do: one line for the person at the keyboard."""

    exit_code = NOT_STARTED


class UsageError(RemiError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = USAGE


def unknown(kind: str, got: str, known: Iterable[str]) -> UsageError:
    """A name that does not exist: what was got, the nearest one, and all that there are."""
    names = sorted(known)
    near = difflib.get_close_matches(got, names, 1)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    return UsageError(f"Unknown {kind} '{got}'.{guess} Known: {', '.join(names) or 'none'}.")
