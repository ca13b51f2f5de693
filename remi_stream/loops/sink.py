"""The loop of a process that listens to the bus."""

from __future__ import annotations

import time
from collections import Counter

from remi_stream.config import BUS
from remi_stream.link import Context, Subscriber
from remi_stream.order import DOZE_S, Order
from remi_stream.pipeline import Row, heard_by
from remi_stream.sinks.sink import Sink

DRAIN_S = 1.0
BURST = 200
"""So many messages at most are given to a sink before it has its turn."""


class SinkLoop:
    """Listens to the bus and gives everything to a sink."""

    def __init__(self, order: Order, row: Row, sink: Sink) -> None:
        self._order, self._row, self._sink = order, row, sink
        self._context = Context()

    @property
    def counts(self) -> Counter[str]:
        """What the sink counts."""
        return self._sink.counts

    @property
    def facts(self) -> dict[str, str]:
        """What the sink tells people about itself."""
        return self._sink.facts

    def open(self) -> None:
        """Open the sink, then listen."""
        self._sink.open()
        self._topics = [f"{topic}/" for topic in heard_by(self._row, self._order.config)]
        self._bus = Subscriber(self._context, self._order.config.port(BUS), self._topics)

    def turn(self, now: float) -> bool:
        """Give the sink everything that has come, or wait; False when the sink is over."""
        item = self._bus.read(DOZE_S)
        for _ in range(BURST):
            if item is None:
                break
            self._sink.step(item[1])
            self.counts["steps"] += 1
            item = self._bus.read(0)
        self._sink.turn(time.monotonic())
        self._bus.hear(self._topics if self._sink.hears is None else self._sink.hears)
        return not self._sink.over

    def drain(self) -> None:
        """Take what is still under way."""
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end and (item := self._bus.read(0.05)) is not None:
            self._sink.step(item[1])

    def close(self) -> None:
        """Close the sink and the link."""
        self._sink.close()
        self._context.close()
