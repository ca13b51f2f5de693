"""The loop of a process that listens to the bus."""

from __future__ import annotations

import time
from collections import Counter

from remi_stream.config import BUS
from remi_stream.link import Context, Subscriber
from remi_stream.order import DOZE_S, Order
from remi_stream.pipeline import Row
from remi_stream.stage import Stage

DRAIN_S = 1.0


class SinkLoop:
    """Listens to the bus and gives everything to a sink."""

    def __init__(self, order: Order, row: Row, stage: Stage) -> None:
        self.counts: Counter[str] = Counter()
        self.facts: dict[str, str] = {}
        self._order, self._row, self._stage = order, row, stage
        self._context = Context()

    def open(self) -> None:
        """Open the sink, then listen."""
        self._stage.open()
        topics = [f"{topic}/" for topic in self._row.reads]
        self._bus = Subscriber(self._context, self._order.config.port(BUS), topics)

    def turn(self, now: float) -> bool:
        """Give the sink what has come, or wait."""
        item = self._bus.read(DOZE_S)
        if item is not None:
            list(self._stage.step(item[1]))
            self.counts["steps"] += 1
        return True

    def drain(self) -> None:
        """Take what is still under way."""
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end and (item := self._bus.read(0.05)) is not None:
            list(self._stage.step(item[1]))

    def close(self) -> None:
        """Close the sink and the link."""
        self._stage.close()
        self._context.close()
