"""Which pictures of a fast camera are taken."""

from __future__ import annotations


class Cap:
    """Lets at most max_fps pictures a second pass, as even as they come; all of them when it is None."""

    def __init__(self, max_fps: float | None) -> None:
        self._step = 1 / max_fps if max_fps else None
        self._due = float("-inf")

    def passes(self, at: float) -> bool:
        """Whether the picture of this time, s, is taken."""
        if self._step is None:
            return True
        early = at + self._step / 4
        if early < self._due:
            return False
        self._due = max(self._due, at - self._step / 4) + self._step
        return True
