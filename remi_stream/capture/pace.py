"""Real-time pacing of a video's frames."""

from __future__ import annotations

import time


class RealTimePacer:
    """Sleeps until each frame's pts is due, counted from the first call of `wait`."""

    def __init__(self) -> None:
        self._started_at: float | None = None

    def wait(self, pts: float) -> float:
        """Sleep until the frame with this pts, s, is due; return that moment, monotonic s."""
        if self._started_at is None:
            self._started_at = time.monotonic() - pts
        time.sleep(max(0.0, self._started_at + pts - time.monotonic()))
        return time.monotonic()
