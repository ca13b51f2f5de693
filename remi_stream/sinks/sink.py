"""What a sink is."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Sink:
    """Something that listens to the bus. What it has no use for it leaves as it is here.

    counts, facts: told with each heartbeat. over: set by a sink that ends the pipeline, as a closed window does.
    hears: the topics it wants from now on, e.g. "preview/front" (None: all of its row).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.facts: dict[str, str] = {}
        self.over = False
        self.hears: list[str] | None = None

    def open(self) -> None:
        """Load what is needed. RemiError says what the user has to mend."""

    def step(self, message: Any) -> Any:
        """Take one message."""

    def turn(self, now: float) -> None:
        """Do what is due at this moment (monotonic s); called at least ten times a second, also when nothing comes."""

    def close(self) -> None:
        """Let go of everything."""
