"""Ctrl-C, or `docker stop`, heard even where a library swallows it."""

from __future__ import annotations

import signal

STOPPED = 128 + signal.SIGINT
"""The exit code of who was interrupted."""


class Stop:
    """Whether we were told to end. A KeyboardInterrupt alone may be lost, or become another error, in what a library imports."""

    def __init__(self) -> None:
        self.heard = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._hear)

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was heard, and lost."""
        if self.heard:
            raise KeyboardInterrupt

    def _hear(self, *_: object) -> None:
        self.heard = True
        raise KeyboardInterrupt
