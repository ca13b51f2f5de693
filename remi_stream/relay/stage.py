"""The relay: smooths people, checks the books, stamps last, publishes, and answers questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import Config
from remi_stream.mailbox import Request
from remi_stream.messages import Bodies, CameraFacts, Frame, Health, View, Wish
from remi_stream.order import Order
from remi_stream.relay.books import Books
from remi_stream.relay.control import Control
from remi_stream.relay.smoothing import Smoothing

PREVIEW = View(longest_side=640, encoding="jpeg")
PREVIEW_S = 0.1


class RelayStage:
    """Passes bodies, facts about cameras and health on to the bus, and knows the last of each. folder: the run's."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self.facts: dict[str, str] = {}
        self._books = Books()
        self._smoothing = Smoothing(config, folder)
        self._control = Control(config, self._smoothing, self.facts, lambda wish: self.publish(wish))
        self._previewed_at: dict[str, float] = {}
        self.heard: Callable[[str], bool] = lambda topic: False
        """Whether somebody on the bus listens to a topic; whoever runs the stage sets it."""
        self.publish: Callable[[Wish], None] = lambda wish: None
        """Sends a wish at once, between two steps; whoever runs the stage sets it."""

    def open(self) -> None:
        """Load the filters."""
        self._smoothing.open()

    def request(self, camera: str) -> Request:
        """A small picture ten times a second, while somebody looks."""
        if not self.heard(f"preview/{camera}"):
            return Request(PREVIEW, float("inf"))
        return Request(PREVIEW, self._previewed_at.get(camera, 0.0) + PREVIEW_S)

    def step(self, message: Bodies | CameraFacts | Health | Frame) -> Iterable[Bodies | CameraFacts | Health | Frame]:
        """Publish a message, with the books brought up to date."""
        now = time.monotonic()
        if isinstance(message, Frame):
            self._previewed_at[message.camera] = now
            return [message]
        if isinstance(message, Bodies):
            return [msgspec.structs.replace(self._smoothing.smooth(message, now), skipped=self._books.publish(message))]
        if isinstance(message, CameraFacts):
            return [self._facts(message, now)]
        self._control.health[message.stage] = message
        return [message]

    def control(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question. Raises RemiError."""
        return self._control.answer(question)

    def close(self) -> None:
        """Nothing to let go of."""

    def _facts(self, facts: CameraFacts, now: float) -> CameraFacts:
        self._books.capture(facts)
        facts = self._smoothing.tell(facts, now)
        books = self._books.of(facts.camera)
        if books is not None:
            facts = msgspec.structs.replace(facts, published=books.published, dropped=dict(books.dropped))
        self._control.cameras[facts.camera] = facts
        return facts


def make(order: Order) -> RelayStage:
    """Make the stage for an order."""
    return RelayStage(order.config, Path(order.folder))
