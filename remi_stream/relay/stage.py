"""The relay: checks the books, stamps last, publishes, and answers questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.errors import RemiError
from remi_stream.mailbox import Request
from remi_stream.messages import Bodies, CameraFacts, Frame, Health, View
from remi_stream.order import Order
from remi_stream.relay.books import Books

PREVIEW = View(longest_side=640, encoding="jpeg")
PREVIEW_S = 0.1


class RelayStage:
    """Passes bodies, facts about cameras and health on to the bus, and knows the last of each."""

    def __init__(self, config: Config) -> None:
        self.facts: dict[str, str] = {}
        self._config = config
        self._books = Books()
        self._cameras: dict[str, CameraFacts] = {}
        self._health: dict[str, Health] = {}
        self._previewed_at: dict[str, float] = {}
        self.heard: Callable[[str], bool] = lambda topic: False
        """Whether somebody on the bus listens to a topic; whoever runs the stage sets it."""

    def open(self) -> None:
        """Nothing to load."""

    def request(self, camera: str) -> Request:
        """A small picture ten times a second, while somebody looks."""
        if not self.heard(f"preview/{camera}"):
            return Request(PREVIEW, float("inf"))
        return Request(PREVIEW, self._previewed_at.get(camera, 0.0) + PREVIEW_S)

    def step(self, message: Bodies | CameraFacts | Health | Frame) -> Iterable[Bodies | CameraFacts | Health | Frame]:
        """Publish a message, with the books brought up to date."""
        if isinstance(message, Frame):
            self._previewed_at[message.camera] = time.monotonic()
            return [message]
        if isinstance(message, Bodies):
            return [msgspec.structs.replace(message, skipped=self._books.publish(message))]
        if isinstance(message, CameraFacts):
            return [self._facts(message)]
        self._health[message.stage] = message
        return [message]

    def control(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question: {"ask": "status"} or {"ask": "record", "on": whether to}."""
        if question.get("ask") == "status":
            return {
                "version": __version__,
                "name": self._config.name,
                "engine": self._config.engine_names,
                "detector": self._config.detector,
                "cameras": {name: msgspec.to_builtins(facts) for name, facts in self._cameras.items()},
                "stages": {name: msgspec.to_builtins(health) for name, health in self._health.items()},
            }
        if question.get("ask") == "record":
            self.facts["record"] = "on" if question.get("on", True) else "off"
            return {"record": self.facts["record"]}
        raise RemiError(f"Control: unknown question {question.get('ask')!r}; allowed: status, record")

    def close(self) -> None:
        """Nothing to let go of."""

    def _facts(self, facts: CameraFacts) -> CameraFacts:
        self._books.capture(facts)
        books = self._books.of(facts.camera)
        if books is not None:
            facts = msgspec.structs.replace(facts, published=books.published, dropped=dict(books.dropped))
        self._cameras[facts.camera] = facts
        return facts


def make(order: Order) -> RelayStage:
    """Make the stage for an order."""
    return RelayStage(order.config)
