"""SIGINT (Ctrl-C, `docker stop`) that is not lost when a library swallows KeyboardInterrupt."""

from __future__ import annotations

import signal

STOPPED = 128 + signal.SIGINT
"""Exit code after SIGINT: 128 + signal number, as in a shell."""


class Stop:
    """Remembers SIGINT: a KeyboardInterrupt alone may be lost, or replaced by another exception, during an import."""

    def __init__(self) -> None:
        self.heard = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)

    def check(self) -> None:
        """Raise KeyboardInterrupt if SIGINT came and was swallowed."""
        if self.heard:
            raise KeyboardInterrupt

    def _handle(self, *_: object) -> None:
        self.heard = True
        raise KeyboardInterrupt
