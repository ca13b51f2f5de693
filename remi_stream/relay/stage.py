"""Relay stage: filters, accounts for, stamps and publishes all bodies; answers control requests."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import Config
from remi_stream.ledger import Ledger
from remi_stream.messages import Bodies, CameraFacts, Frame, FrameView, Health
from remi_stream.relay.control import ControlHandler
from remi_stream.relay.filtering import CameraFilters
from remi_stream.stage import StageSpec
from remi_stream.transport.mailbox import FrameRequest

PREVIEW_VIEW = FrameView(longest_side=640, encoding="jpeg")
"""View of a frame that is requested as a preview."""
PREVIEW_INTERVAL_S = 0.1
"""Interval of previews, s."""


class RelayStage:
    """Publishes bodies, camera status and health on the bus, and keeps the last status of each. folder: the run folder."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self.facts: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self._ledger = Ledger()
        self._smoothing = CameraFilters(config, folder)
        # a lambda, because the worker loop sets `publish` later
        self._control = ControlHandler(config, self._smoothing, self.facts, lambda command: self.publish(command))
        self._previewed_at: dict[str, float] = {}
        self.has_subscriber: Callable[[str], bool] = lambda topic: False
        """Whether a topic has a subscriber on the bus; set by the worker loop."""
        self.publish: Callable[[Any], None] = lambda message: None
        """Publishes a playback command; set by the worker loop."""

    def open(self) -> None:
        """Load the filters."""
        self._smoothing.open()

    def request(self, camera: str) -> FrameRequest:
        """Request a preview ten times a second while it has a subscriber."""
        if not self.has_subscriber(f"preview/{camera}"):
            return FrameRequest(PREVIEW_VIEW, float("inf"))
        return FrameRequest(PREVIEW_VIEW, self._previewed_at.get(camera, 0.0) + PREVIEW_INTERVAL_S)

    def step(self, message: Bodies | CameraFacts | Health | Frame) -> Iterable[Bodies | CameraFacts | Health | Frame]:
        """Update the ledger and publish a message."""
        now = time.monotonic()
        if isinstance(message, Frame):
            self._previewed_at[message.camera] = now
            return [message]
        if isinstance(message, Bodies):
            return [msgspec.structs.replace(self._smoothing.smooth(message, now), skipped=self._ledger.record_published(message))]
        if isinstance(message, CameraFacts):
            return [self._facts(message, now)]
        return self._health(message)

    def answer_control(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one control request. Raises RemiError."""
        return self._control.answer(request)

    def close(self) -> None:
        """Nothing to release."""

    def _health(self, health: Health) -> list[Health | CameraFacts]:
        """Keep the health of a stage. A camera whose process is gone cannot say itself that it is not live any more."""
        self._control.health[health.stage] = health
        facts = self._control.cameras.get(health.stage.partition("/")[2])
        if facts is None or facts.state != "live" or health.state not in ("restarting", "failed"):
            return [health]
        lost = self._control.cameras[facts.camera] = msgspec.structs.replace(facts, state="reconnecting")
        return [health, lost]

    def _facts(self, facts: CameraFacts, now: float) -> CameraFacts:
        self._ledger.record_captured(facts)
        facts = self._smoothing.with_filter_status(facts, now)
        account = self._ledger.current_epoch(facts.camera)
        if account is not None:
            facts = msgspec.structs.replace(facts, published=account.published, dropped=dict(account.dropped))
        self._control.cameras[facts.camera] = facts
        return facts


def make_relay_stage(spec: StageSpec) -> RelayStage:
    """Create the relay stage of a StageSpec."""
    return RelayStage(spec.config, Path(spec.run_folder))
