"""Subscriber of a daemon's bus: the newest bodies of the selected camera, their rate and latency."""

from __future__ import annotations

import time
from collections.abc import Iterable

from remi_stream.config import BUS, port
from remi_stream.link import Context, Subscriber
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.sinks.aitviewer.figures import Figures, Mesh
from remi_stream.sinks.views.rates import Moment, Rates

SILENT_S = 3.0
"""A camera without messages for longer is gone, s. Camera facts come twice a second."""
OLDEST_S = 1.0
"""Older bodies are not shown, s."""


class Watched:
    """The state of one camera. heard_at: time of its last message, monotonic s."""

    def __init__(self) -> None:
        self.figures, self.rates = Figures(), Rates()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None
        self.heard_at = float("-inf")


class Show:
    """Keeps the newest bodies of each camera of a daemon; there is no queue.

    camera: the selected one, "" before the first message. paused: the shown meshes do not change.
    """

    def __init__(self, daemon: str) -> None:
        self.daemon = daemon
        self.camera = ""
        self.paused = False
        self._context = Context()
        self._bus = Subscriber(self._context, port(daemon, BUS), ["bodies/", "camera/"])
        self._cameras: dict[str, Watched] = {}
        self._meshes: list[Mesh] = []
        self._newest: Bodies | None = None
        self._drawn: Bodies | None = None

    def listen(self, timeout_s: float) -> None:
        """Receive messages; wait up to timeout_s for the first."""
        self.take(self._bus.newest(timeout_s).values(), time.monotonic())

    def take(self, messages: Iterable[Bodies | CameraFacts], now: float) -> None:
        """Keep messages that arrived now."""
        for message in messages:
            watched = self._cameras.setdefault(message.camera, Watched())
            watched.heard_at = now
            if isinstance(message, Bodies):
                watched.newest = message
            else:
                watched.facts = message

    def meshes(self, now: float) -> list[Mesh]:
        """The meshes of the selected camera's people. now: monotonic s."""
        watched = self._choose(now)
        if watched is None or self.paused:
            return self._meshes
        newest = watched.newest
        if newest is not None and newest is not self._newest and now - newest.captured_at < OLDEST_S:
            self._newest = newest
            watched.figures.take(newest, now)
        self._meshes = watched.figures.present(now)
        return self._meshes

    def drawn(self, now: float) -> None:
        """Record that the last result of `current_meshes` was drawn now: latency is measured up to the screen."""
        for watched in self._cameras.values():
            watched.rates.step(now)
        if self._newest is not None and self._newest is not self._drawn:
            self._drawn = self._newest
            self._cameras[self._newest.camera].rates.take(self._newest.captured_at, now)

    def cameras(self, now: float) -> list[str]:
        """The names of cameras with recent messages, sorted."""
        return sorted(name for name, watched in self._cameras.items() if now - watched.heard_at < SILENT_S)

    def turn_to_next_camera(self, now: float) -> None:
        """Select the next camera."""
        names = self.cameras(now)
        if names:
            self.camera = names[(names.index(self.camera) + 1) % len(names)] if self.camera in names else names[0]

    def moment(self) -> Moment | None:
        """The last sample of rate and latency at which the selected camera's bodies were drawn."""
        watched = self._cameras.get(self.camera)
        return watched.rates.moments[-1] if watched and watched.rates.moments else None

    def filter(self) -> str:
        """The active filter of the selected camera."""
        watched = self._cameras.get(self.camera)
        return watched.facts.filter if watched and watched.facts else "none"

    def trouble(self, now: float) -> str:
        """Why no bodies arrive, in one line; "" when all is well."""
        if not self.cameras(now):
            return f"waiting for the daemon {self.daemon!r}"
        watched = self._cameras[self.camera or self.cameras(now)[0]]
        state = watched.facts.state if watched.facts else "live"
        return "" if state == "live" else f"camera {self.camera}: {state}"

    def close(self) -> None:
        """Close the subscription."""
        self._context.close()

    def _choose(self, now: float) -> Watched | None:
        if self.camera not in self.cameras(now):
            self.turn_to_next_camera(now)
        return self._cameras.get(self.camera)
