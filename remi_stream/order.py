"""What the supervisor tells a stage's process to run."""

from __future__ import annotations

import msgspec

from remi_stream.config import Config

BEAT_S = 0.25
"""Heartbeats are at most twice this apart."""

DOZE_S = 0.1
"""The longest that a loop sleeps, so that a request to stop is soon seen."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage's process is to run; secrets are in here, never in argv. life: how often the stage was restarted."""

    stage: str
    camera: str
    folder: str
    supervisor: int
    life: int = 0
    config: Config

    @property
    def label(self) -> str:
        """The process's name for people: "capture/front", "pose"."""
        return f"{self.stage}/{self.camera}" if self.camera else self.stage
