"""Worker loop of a sink, which subscribes to the bus."""

from __future__ import annotations

import time
from collections import Counter

from remi_stream.config import BUS
from remi_stream.link import Context, Subscriber
from remi_stream.order import DOZE_S, Order
from remi_stream.pipeline import Row, heard_by
from remi_stream.sinks.sink import Sink

DRAIN_S = 1.0
"""Time limit of the drain, s."""
BURST = 200
"""Maximum number of messages passed to a sink between two calls of its `turn`."""


class SinkLoop:
    """Passes the messages of the bus to a sink."""

    def __init__(self, spec: Order, row: Row, sink: Sink) -> None:
        self._spec, self._row, self._sink = spec, row, sink
        self._context = Context()

    @property
    def counts(self) -> Counter[str]:
        """Counters of the sink."""
        return self._sink.counts

    @property
    def facts(self) -> dict[str, str]:
        """Static information of the sink."""
        return self._sink.facts

    def open(self) -> None:
        """Open the sink, then subscribe."""
        self._sink.open()
        self._topics = [f"{topic}/" for topic in heard_by(self._row, self._spec.config)]
        self._bus = Subscriber(self._context, self._spec.config.port(BUS), self._topics)

    def turn(self, now: float) -> bool:
        """Pass queued messages to the sink, or wait; False when the sink is finished."""
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
        """Process messages still in transit."""
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end and (item := self._bus.read(0.05)) is not None:
            self._sink.step(item[1])

    def close(self) -> None:
        """Close the sink and the link."""
        self._sink.close()
        self._context.close()
