"""Relay stage: filters, accounts for, stamps and publishes all bodies; answers control requests."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import Config
from remi_stream.ledger import EpochState, Ledger
from remi_stream.messages import Bodies, CameraFacts, Frame, FrameView, Health
from remi_stream.relay.control import ControlHandler
from remi_stream.relay.filtering import CameraFilters
from remi_stream.stage import StageSpec
from remi_stream.transport.mailbox import FrameRequest

PREVIEW_VIEW = FrameView(longest_side=640, encoding="jpeg")
"""View of a frame that is requested as a preview."""
PREVIEW_INTERVAL_S = 0.1
"""Interval of previews, s."""
SAVE_RETRY_S = 1.0
"""Pause after an account could not be saved, s."""

log = logging.getLogger("remi_stream")


class SavedLedger:
    """The ledger of a relay in a file per camera of the run folder, from which the next relay goes on if this one is killed.

    folder None: nothing is saved.
    """

    def __init__(self, ledger: Ledger, cameras: Iterable[str], folder: Path | None) -> None:
        self._ledger, self._folder = ledger, folder
        self._files: dict[str, int] = {}
        self._retry_at = 0.0
        for camera in cameras if folder else ():
            self._restore(camera)

    def save(self, camera: str) -> None:
        """Save a camera's account. A write of less than a page is not torn by a kill.

        Bodies matter more than their account: if it cannot be saved (full disk, no descriptors), the next try is a second later.
        """
        now = time.monotonic()
        if self._folder is None or now < self._retry_at:
            return
        data = msgspec.msgpack.encode(self._ledger.state(camera))
        try:
            if camera not in self._files:
                self._files[camera] = os.open(self._path(camera), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.pwrite(self._files[camera], len(data).to_bytes(4, "little") + data, 0)
        except OSError as error:
            if not self._retry_at:
                log.warning(
                    "cannot write %s: %s; frames are counted anew if the relay restarts", self._path(camera), error.strerror
                )
            self._retry_at = now + SAVE_RETRY_S

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def _restore(self, camera: str) -> None:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            data = self._path(camera).read_bytes()
            end = 4 + int.from_bytes(data[:4], "little")
            self._ledger.restore(camera, msgspec.msgpack.decode(data[4:end], type=EpochState))

    def _path(self, camera: str) -> Path:
        assert self._folder
        return self._folder / f"ledger.{camera}"


class RelayStage:
    """Publishes bodies, camera status and health on the bus, and keeps the last status of each. folder: the run folder."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self.facts: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self._ledger = Ledger()
        self._saved = SavedLedger(self._ledger, [camera.name for camera in config.cameras], folder)
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
            skipped = self._ledger.record_published(message)
            self._saved.save(message.camera)
            return [msgspec.structs.replace(self._smoothing.smooth(message, now), skipped=skipped)]
        if isinstance(message, CameraFacts):
            return [self._facts(message, now)]
        return self._health(message)

    def answer_control(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one control request. Raises RemiError."""
        # counts as of now: the last status of a camera may be older than its last bodies
        self._control.cameras.update({name: self._with_counts(facts) for name, facts in self._control.cameras.items()})
        return self._control.answer(request)

    def close(self) -> None:
        """Close the files of the ledger."""
        self._saved.close()

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
        facts = self._control.cameras[facts.camera] = self._with_counts(facts)
        return facts

    def _with_counts(self, facts: CameraFacts) -> CameraFacts:
        account = self._ledger.current_epoch(facts.camera)
        if account is None:
            return facts
        counts = {"published": account.published, "dropped": dict(account.dropped)}
        # a body may have come before the status that counts its frame
        return msgspec.structs.replace(facts, captured=max(facts.captured, account.captured_until), **counts)


def make_relay_stage(spec: StageSpec) -> RelayStage:
    """Create the relay stage of a StageSpec."""
    return RelayStage(spec.config, Path(spec.run_folder))
