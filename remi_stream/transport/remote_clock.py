"""Times of another machine: its monotonic clock starts elsewhere."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from remi_stream.messages import FrameMessage

WINDOW_S = 30.0
"""The fastest message of the last one or two windows counts as immediate, s. Two clocks drift apart by a millisecond in it."""

F = TypeVar("F", bound=FrameMessage)


class RemoteClock:
    """Converts the times of messages to this machine's clock.

    The offset is that of the message which arrived fastest, so latencies are short by the network's minimum.
    """

    def __init__(self) -> None:
        self._best = self._previous = float("inf")
        self._window_ends_at = float("-inf")

    def convert(self, message: F, arrived_at: float) -> F:
        """The message with `captured_at` and `stamps` on this machine's clock. arrived_at: monotonic s."""
        sent_at = max((message.captured_at, *message.stamps.values()))
        if arrived_at > self._window_ends_at:
            self._window_ends_at = arrived_at + WINDOW_S
            self._previous, self._best = self._best, float("inf")
        self._best = min(self._best, arrived_at - sent_at)
        offset = min(self._best, self._previous)
        stamps = {hop: at + offset for hop, at in message.stamps.items()}
        return msgspec.structs.replace(message, captured_at=message.captured_at + offset, stamps=stamps)
