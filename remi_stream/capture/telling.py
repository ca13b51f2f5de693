"""When the facts about a camera are due."""

from __future__ import annotations

from remi_stream.capture.source import State

FACTS_S = 0.5


class Telling:
    """On change of the camera's state, and twice a second."""

    def __init__(self) -> None:
        self._told: State | None = None
        self._due_at = float("-inf")

    def due(self, state: State, now: float) -> bool:
        """Whether they are to be told now (monotonic s); who asks tells them."""
        if state == self._told and now < self._due_at:
            return False
        self._told, self._due_at = state, now + FACTS_S
        return True

    def hasten(self) -> None:
        """Let them be due at once."""
        self._due_at = float("-inf")
