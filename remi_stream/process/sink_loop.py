"""Worker loop of a sink, which subscribes to the bus."""

from __future__ import annotations

import time
from collections import Counter

from remi_stream.config import BUS_SERVICE
from remi_stream.pipeline import StageRow, subscribed_topics
from remi_stream.stage import MAX_SLEEP_S, Sink, StageSpec
from remi_stream.transport.link import LinkContext, Subscriber

DRAIN_TIMEOUT_S = 1.0
"""Time limit of the drain, s."""
MAX_BURST = 200
"""Maximum number of messages passed to a sink between two calls of its `run_once`."""


class SinkLoop:
    """Passes the messages of the bus to a sink."""

    def __init__(self, spec: StageSpec, row: StageRow, sink: Sink) -> None:
        self._spec, self._row, self._sink = spec, row, sink
        self._context = LinkContext()

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
        self._topics = [f"{topic}/" for topic in subscribed_topics(self._row, self._spec.config)]
        self._bus = Subscriber(self._context, self._spec.config.port(BUS_SERVICE), self._topics)

    def run_once(self, now: float) -> bool:
        """Pass queued messages to the sink, or wait; False when the sink is finished."""
        item = self._bus.receive(MAX_SLEEP_S)
        for _ in range(MAX_BURST):
            if item is None:
                break
            self._sink.step(item[1])
            self.counts["steps"] += 1
            item = self._bus.receive(0)
        self._sink.tick(time.monotonic())
        self._bus.subscribe(self._topics if self._sink.topics is None else self._sink.topics)
        return not self._sink.is_finished

    def drain(self) -> None:
        """Process messages still in transit."""
        end = time.monotonic() + DRAIN_TIMEOUT_S
        while time.monotonic() < end and (item := self._bus.receive(0.05)) is not None:
            self._sink.step(item[1])

    def close(self) -> None:
        """Close the sink and the link."""
        self._sink.close()
        self._context.close()
