"""Which pictures of a fast camera are taken."""

from __future__ import annotations


class Cap:
    """Lets at most max_fps pictures a second pass, as even as they come; all of them when it is None."""

    def __init__(self, max_fps: float | None) -> None:
        self._step = 1 / max_fps if max_fps else 0.0
        self._due = float("-inf")

    def passes(self, at: float) -> bool:
        """Whether the picture of this time, s, is taken."""
        if at < self._due - self._step / 4:
            return False
        self._due = max(self._due + self._step, at)
        return True
