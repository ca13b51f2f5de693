"""What waits to be written: so much and no more, and what does not fit is told with what comes next."""

from __future__ import annotations

import queue
from collections import Counter
from typing import NamedTuple

from remi_stream.mailbox import add_skipped, take_skipped
from remi_stream.messages import Bodies, CameraFacts, Frame

OVERFLOW = "recorder/overflow"


class Switch(NamedTuple):
    """Whether what comes from now on is to be recorded."""

    on: bool


Item = Bodies | CameraFacts | Frame | Switch


class Buffer:
    """Between the process's loop, which never waits, and the thread that waits for the disk. dropped: bodies so far."""

    def __init__(self, depth: int) -> None:
        self.dropped = 0
        self._queue: queue.Queue[Item | None] = queue.Queue(depth)
        self._skipped: Counter[tuple[str, int, str]] = Counter()

    def offer(self, item: Item) -> bool:
        """Add an item; False when there is no room. Bodies are then counted as skipped on the next that find room."""
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
        """What was skipped since the last bodies that found room: {reason: count} by camera and epoch."""
        found: dict[tuple[str, int], dict[str, int]] = {}
        for (camera, epoch, reason), count in self._skipped.items():
            found.setdefault((camera, epoch), {})[reason] = count
        return found

    def end(self) -> None:
        """Tell the reader that nothing more comes; waits until there is room for saying so."""
        self._queue.put(None)

    def take(self, timeout_s: float) -> Item | None:
        """Wait for the next item. Raises queue.Empty when none comes in time; None is the end."""
        return self._queue.get(timeout=timeout_s)

    def _put(self, item: Item) -> bool:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True
