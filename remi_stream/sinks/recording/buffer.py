"""Bounded queue of messages to be written; dropped bodies are counted on the next that fit."""

from __future__ import annotations

import queue
from collections import Counter
from typing import NamedTuple

from remi_stream.mailbox import add_skipped, pop_skipped
from remi_stream.messages import Bodies, CameraFacts, Frame

OVERFLOW_REASON = "recorder/overflow"
"""Drop reason: the disk is too slow."""


class RecordingSwitch(NamedTuple):
    """Switches recording on or off for the messages that follow."""

    is_on: bool


RecorderItem = Bodies | CameraFacts | Frame | RecordingSwitch


class RecorderBuffer:
    """Queue between the process's loop, which never blocks, and the thread that writes. dropped: bodies so far."""

    def __init__(self, depth: int) -> None:
        self.dropped = 0
        self._queue: queue.Queue[RecorderItem | None] = queue.Queue(depth)
        self._skipped: Counter[tuple[str, int, str]] = Counter()

    def put(self, item: RecorderItem) -> bool:
        """Add an item; False if the queue is full. Dropped bodies are added to `skipped` of the next that fit."""
        if not isinstance(item, Bodies):
            return self._put(item)
        skipped = pop_skipped(self._skipped, item)
        if self._put(add_skipped(item, skipped)):
            return True
        self.dropped += 1
        for reason, count in (Counter(skipped) + Counter(item.skipped) + Counter({OVERFLOW_REASON: 1})).items():
            self._skipped[item.camera, item.epoch, reason] = count
        return False

    def unreported_drops(self) -> dict[tuple[str, int], dict[str, int]]:
        """Drops since the last bodies that fitted: {reason: count} by camera and epoch."""
        drops: dict[tuple[str, int], dict[str, int]] = {}
        for (camera, epoch, reason), count in self._skipped.items():
            drops.setdefault((camera, epoch), {})[reason] = count
        return drops

    def put_end(self) -> None:
        """Put the end marker; blocks until there is room."""
        self._queue.put(None)

    def get(self, timeout_s: float) -> RecorderItem | None:
        """Wait for the next item; None is the end marker. Raises queue.Empty after the timeout."""
        return self._queue.get(timeout=timeout_s)

    def _put(self, item: RecorderItem) -> bool:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True
