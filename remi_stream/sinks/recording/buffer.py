"""Bounded queue of messages to be written; dropped bodies are counted on the next that fit."""

from __future__ import annotations

import queue
from collections import Counter
from typing import NamedTuple

from remi_stream.mailbox import add_skipped, take_skipped
from remi_stream.messages import Bodies, CameraFacts, Frame

OVERFLOW = "recorder/overflow"
"""Drop reason: the disk is too slow."""


class Switch(NamedTuple):
    """Switches recording on or off for the messages that follow."""

    on: bool


Item = Bodies | CameraFacts | Frame | Switch


class Buffer:
    """Queue between the process's loop, which never blocks, and the thread that writes. dropped: bodies so far."""

    def __init__(self, depth: int) -> None:
        self.dropped = 0
        self._queue: queue.Queue[Item | None] = queue.Queue(depth)
        self._skipped: Counter[tuple[str, int, str]] = Counter()

    def offer(self, item: Item) -> bool:
        """Add an item; False if the queue is full. Dropped bodies are added to `skipped` of the next that fit."""
        if not isinstance(item, Bodies):
            return self._put(item)
        skipped = take_skipped(self._skipped, item)
        if self._put(add_skipped(item, skipped)):
            return True
        self.dropped += 1
        for reason, count in (Counter(skipped) + Counter(item.skipped) + Counter({OVERFLOW: 1})).items():
            self._skipped[item.camera, item.epoch, reason] = count
        return False

    def untold(self) -> dict[tuple[str, int], dict[str, int]]:
        """Drops since the last bodies that fitted: {reason: count} by camera and epoch."""
        drops: dict[tuple[str, int], dict[str, int]] = {}
        for (camera, epoch, reason), count in self._skipped.items():
            drops.setdefault((camera, epoch), {})[reason] = count
        return drops

    def end(self) -> None:
        """Put the end marker; blocks until there is room."""
        self._queue.put(None)

    def take(self, timeout_s: float) -> Item | None:
        """Wait for the next item; None is the end marker. Raises queue.Empty after the timeout."""
        return self._queue.get(timeout=timeout_s)

    def _put(self, item: Item) -> bool:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True
