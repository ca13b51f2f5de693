"""SIGINT (Ctrl-C, `docker stop`) that is not lost when a library swallows KeyboardInterrupt."""

from __future__ import annotations

import signal

EXIT_INTERRUPTED = 128 + signal.SIGINT
"""Exit code after SIGINT: 128 + signal number, as in a shell."""


class InterruptFlag:
    """Remembers SIGINT: a KeyboardInterrupt alone may be lost, or replaced by another exception, during an import."""

    def __init__(self) -> None:
        self.is_set = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)

    def raise_if_set(self) -> None:
        """Raise KeyboardInterrupt if SIGINT came and was swallowed."""
        if self.is_set:
            raise KeyboardInterrupt

    def _handle(self, *_: object) -> None:
        self.is_set = True
        raise KeyboardInterrupt
