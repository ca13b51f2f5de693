"""When the pictures of a film are due."""

from __future__ import annotations

import time


class Pace:
    """Plays a film at its own speed, beginning with the first picture that is asked for."""

    def __init__(self) -> None:
        self._began_at: float | None = None

    def wait(self, pts: float) -> float:
        """Sleep until the picture of this time is due; give the moment, monotonic s."""
        if self._began_at is None:
            self._began_at = time.monotonic() - pts
        time.sleep(max(0.0, self._began_at + pts - time.monotonic()))
        return time.monotonic()
