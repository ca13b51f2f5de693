"""Timer of a camera's status messages."""

from __future__ import annotations

from remi_stream.capture.source import SourceState

STATUS_INTERVAL_S = 0.5
"""Interval between status messages, s, as for heartbeats."""


class StatusTimer:
    """Due on each change of the camera's state, and every STATUS_INTERVAL_S."""

    def __init__(self) -> None:
        self._sent: SourceState | None = None
        self._due_at = float("-inf")

    def is_due(self, state: SourceState, now: float) -> bool:
        """Whether to send a status now (monotonic s); if True, the caller sends it."""
        if state == self._sent and now < self._due_at:
            return False
        self._sent, self._due_at = state, now + STATUS_INTERVAL_S
        return True

    def expire(self) -> None:
        """Make the next status due at once."""
        self._due_at = float("-inf")
