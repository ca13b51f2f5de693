"""Base class of sinks, the stages that consume the bus."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Sink:
    """A consumer of bus messages. Every method has a default that does nothing."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Sent with each heartbeat."""
        self.facts: dict[str, str] = {}
        """Sent with each heartbeat."""
        self.is_finished = False
        """Set to end the pipeline, as a closed window does."""
        self.topics: list[str] | None = None
        """Topics to subscribe to from now on, e.g. "preview/front"; None: all topics of its row in the pipeline table."""

    def open(self) -> None:
        """Load resources. Raises RemiError with the remedy."""

    def step(self, message: Any) -> Any:
        """Process one message."""

    def tick(self, now: float) -> None:
        """Do periodic work. now: monotonic s. Called at least ten times a second, with or without messages."""

    def close(self) -> None:
        """Release all resources."""
