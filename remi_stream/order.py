"""StageSpec: what the supervisor sends a worker process to run."""

from __future__ import annotations

import msgspec

from remi_stream.config import Config

HEARTBEAT_S = 0.25
"""Interval of heartbeats, s; a loop that sleeps sends them at most twice this apart."""

MAX_SLEEP_S = 0.1
"""Maximum sleep of a worker loop, s, so that a request to stop is seen soon."""


class StageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process runs. It travels over standard input, because argv is visible to other users."""

    stage: str
    camera: str
    """Camera's name; "" for a stage that serves all cameras."""
    run_folder: str
    """The run folder."""
    supervisor_pid: int
    """Process id of the supervisor."""
    restarts: int = 0
    """Number of restarts of the stage so far."""
    config: Config

    @property
    def label(self) -> str:
        """Name of the process in logs and health: "capture/front", "pose"."""
        return f"{self.stage}/{self.camera}" if self.camera else self.stage
