"""Relay stage: filters, accounts for, stamps and publishes all bodies; answers control requests."""

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
"""Interval of previews, s."""


class RelayStage:
    """Publishes bodies, camera status and health on the bus, and keeps the last status of each. folder: the run folder."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self.facts: dict[str, str] = {}
        self._ledger = Books()
        self._smoothing = Smoothing(config, folder)
        self._control = Control(config, self._smoothing, self.facts, lambda command: self.publish(command))
        self._previewed_at: dict[str, float] = {}
        self.heard: Callable[[str], bool] = lambda topic: False
        """Whether a topic has a subscriber on the bus; set by the worker loop."""
        self.publish: Callable[[Wish], None] = lambda command: None
        """Publishes a playback command at once, between two steps; set by the worker loop."""

    def open(self) -> None:
        """Load the filters."""
        self._smoothing.open()

    def request(self, camera: str) -> Request:
        """Request a preview ten times a second while it has a subscriber."""
        if not self.heard(f"preview/{camera}"):
            return Request(PREVIEW, float("inf"))
        return Request(PREVIEW, self._previewed_at.get(camera, 0.0) + PREVIEW_S)

    def step(self, message: Bodies | CameraFacts | Health | Frame) -> Iterable[Bodies | CameraFacts | Health | Frame]:
        """Update the ledger and publish a message."""
        now = time.monotonic()
        if isinstance(message, Frame):
            self._previewed_at[message.camera] = now
            return [message]
        if isinstance(message, Bodies):
            return [msgspec.structs.replace(self._smoothing.smooth(message, now), skipped=self._ledger.publish(message))]
        if isinstance(message, CameraFacts):
            return [self._facts(message, now)]
        self._control.health[message.stage] = message
        return [message]

    def control(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one control request. Raises RemiError."""
        return self._control.answer(question)

    def close(self) -> None:
        """Nothing to release."""

    def _facts(self, facts: CameraFacts, now: float) -> CameraFacts:
        self._ledger.capture(facts)
        facts = self._smoothing.tell(facts, now)
        account = self._ledger.of(facts.camera)
        if account is not None:
            facts = msgspec.structs.replace(facts, published=account.published, dropped=dict(account.dropped))
        self._control.cameras[facts.camera] = facts
        return facts


def make(spec: Order) -> RelayStage:
    """Create the relay stage of a StageSpec."""
    return RelayStage(spec.config, Path(spec.folder))
