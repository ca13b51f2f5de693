"""Protocols of stages, the base class of sinks, and StageSpec: which stage a worker runs.

A stage is a plain object without knowledge of processes or sockets. Whatever a worker needs of it stands here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from remi_stream.config import Config
from remi_stream.messages import CameraState
from remi_stream.transport.address import DaemonAddress, address_in
from remi_stream.transport.mailbox import FrameRequest

HEARTBEAT_S = 0.25
"""Interval of heartbeats, s; the supervisor kills a stage after `silent_s` of its row without one (pipeline.py)."""
MAX_SLEEP_S = 0.1
"""Maximum sleep of a worker loop, s, so that a request to stop is handled soon."""
TRACK_IDS_PER_LIFE = 100_000
"""Track ids reserved for each life of a process that assigns them, so that a restarted one reuses none."""


class Stage(Protocol):
    """A step of the pipeline: messages in, messages out."""

    facts: dict[str, str]
    """Static information for users, e.g. {"runtime": ...}; part of each heartbeat."""
    counts: Counter[str]
    """Counters since the start, part of each heartbeat; the worker adds `steps` and `dropped`."""

    def open(self) -> None:
        """Load models and open files. Raises RemiError for what the user has to fix."""
        ...

    def step(self, message: Any) -> Iterable[Any]:
        """Process one message and return those to send. Arrays of a message are views on its buffer: do not keep them."""
        ...

    def request(self, camera: str) -> FrameRequest:
        """Next frame request for a camera: the view, and the earliest time."""
        ...

    def close(self) -> None:
        """Release all resources."""
        ...


@runtime_checkable
class BusStage(Stage, Protocol):
    """A stage that publishes on the bus and answers control requests (`on_bus` and `has_control` in the stage table)."""

    publish: Callable[[Any], None]
    """Set by the worker before `open`: publishes a message at once, between two steps."""
    has_subscriber: Callable[[str], bool]
    """Set by the worker before `open`: whether a topic, such as "preview/front", has a subscriber on the bus."""

    def answer_control(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one control request. Raises RemiError."""
        ...


class SourceStage(Protocol):
    """A source of frames or bodies. Its `step` runs in a thread of its own and may block."""

    counts: Counter[str]
    """Counters since the start, part of each heartbeat; the worker adds `frames` and `dropped`."""

    def open(self) -> None:
        """Open the device or file. Raises RemiError for what the user has to fix."""
        ...

    def step(self) -> Iterable[Any] | None:
        """Return messages to send; None at the end of a finite source. May block for a second; process/source_loop.py ends
        a process that blocks for HANG_TIMEOUT_S.
        """
        ...

    def close(self) -> None:
        """Release all resources."""
        ...


@runtime_checkable
class SteerableSource(Protocol):
    """A source that accepts commands while it runs."""

    def handle_command(self, message: Any) -> None:
        """Handle a message from the bus without blocking. Called from another thread than `step`."""
        ...


class WatchdogClock:
    """A clock for time limits that stands still while this process is paused: stopped, suspended, or frozen with its container.

    It is advanced often; a call that comes later than max_step_s after the one before moves it by max_step_s only.
    """

    def __init__(self, max_step_s: float) -> None:
        self.now = 0.0
        """Time since the first call, s, without pauses."""
        self._max_step_s = max_step_s
        self._advanced_at: float | None = None

    def advance(self, now: float) -> float:
        """Advance to a moment of the monotonic clock, s; return the time since the last call, pauses included."""
        step = 0.0 if self._advanced_at is None else now - self._advanced_at
        self._advanced_at = now
        self.now += min(step, self._max_step_s)
        return step


STATUS_INTERVAL_S = 0.5
"""Interval between the status messages of a camera, s."""


class StatusTimer:
    """When a source sends its CameraFacts: on each change of its state, and every STATUS_INTERVAL_S."""

    def __init__(self) -> None:
        self._sent: CameraState | None = None
        self._due_at = self._since = float("-inf")

    def is_due(self, state: CameraState, now: float) -> bool:
        """Whether to send a status now (monotonic s); if True, the caller sends it."""
        if state == self._sent and now < self._due_at:
            return False
        if state != self._sent:
            self._since = now
        self._sent, self._due_at = state, now + STATUS_INTERVAL_S
        return True

    def state_s(self, now: float) -> float:
        """Time since the state changed, s; 0 before the first status."""
        return max(0.0, now - self._since) if self._sent else 0.0

    def expire(self) -> None:
        """Make the next status due at once."""
        self._due_at = float("-inf")


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


class StageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process runs. It travels over standard input, because argv is visible to other users."""

    stage: str
    """Name of its row in the stage table."""
    camera: str
    """Camera's name; "" for a stage that serves all cameras."""
    run_folder: str
    """The run folder, absolute."""
    supervisor_pid: int
    """Process id of the supervisor; a worker with another parent has lost it."""
    restarts: int = 0
    """Number of restarts of the stage so far."""
    config: Config
    remote: DaemonAddress | None = None
    """A daemon on TCP that a viewer shows; None: the one of the run folder."""

    @property
    def label(self) -> str:
        """Name of the process in logs and health: "capture/front", "pose"."""
        return f"{self.stage}/{self.camera}" if self.camera else self.stage

    @property
    def daemon(self) -> DaemonAddress:
        """Where the bus and the control socket are."""
        return self.remote or address_in(Path(self.run_folder))
