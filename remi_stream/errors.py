"""Errors that are for the user to mend: one line, an exit code, no traceback."""

DONE, CRASHED, USAGE, NOT_STARTED, GAVE_UP = 0, 1, 2, 3, 4


class RemiError(Exception):
    """What was got, what is allowed, what to do: one line for the person at the keyboard."""

    exit_code = NOT_STARTED


class UsageError(RemiError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = USAGE
