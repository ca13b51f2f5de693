"""Frame rate limiter for a camera that is faster than needed."""

from __future__ import annotations


class FrameRateLimiter:
    """Accepts at most max_fps frames per second, evenly spaced; all frames if max_fps is None."""

    def __init__(self, max_fps: float | None) -> None:
        self._step = 1 / max_fps if max_fps else None
        self._due = float("-inf")

    def accepts(self, at: float) -> bool:
        """Whether to use the frame captured at this time, s."""
        if self._step is None:
            return True
        # a quarter period of tolerance: jitter of the capture times must not drop every other frame
        if at + self._step / 4 < self._due:
            return False
        self._due = max(self._due, at - self._step / 4) + self._step
        return True
