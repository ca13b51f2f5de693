"""Subscriber of a daemon's bus: the newest bodies of the selected camera, their rate and latency."""

from __future__ import annotations

import time
from collections.abc import Iterable

from remi_stream.config import BUS_SERVICE, daemon_port
from remi_stream.link import LinkContext, Subscriber
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.sinks.aitviewer.figures import PeopleMeshes, PersonMesh
from remi_stream.sinks.views.rates import RateHistory, RateSample

CAMERA_TIMEOUT_S = 3.0
"""A camera without messages for longer is gone, s. Camera facts come twice a second."""
MAX_AGE_S = 1.0
"""Older bodies are not shown, s."""


class SubscribedCamera:
    """The state of one camera. heard_at: time of its last message, monotonic s."""

    def __init__(self) -> None:
        self.people, self.rates = PeopleMeshes(), RateHistory()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None
        self.heard_at = float("-inf")


class BodySubscriber:
    """Keeps the newest bodies of each camera of a daemon; there is no queue.

    camera: the selected one, "" before the first message. paused: the shown meshes do not change.
    """

    def __init__(self, daemon: str) -> None:
        self.daemon = daemon
        self.camera = ""
        self.paused = False
        self._context = LinkContext()
        self._bus = Subscriber(self._context, daemon_port(daemon, BUS_SERVICE), ["bodies/", "camera/"])
        self._cameras: dict[str, SubscribedCamera] = {}
        self._meshes: list[PersonMesh] = []
        self._newest: Bodies | None = None
        self._drawn: Bodies | None = None

    def receive(self, timeout_s: float) -> None:
        """Receive messages; wait up to timeout_s for the first."""
        self.add(self._bus.receive_newest(timeout_s).values(), time.monotonic())

    def add(self, messages: Iterable[Bodies | CameraFacts], now: float) -> None:
        """Keep messages that arrived now."""
        for message in messages:
            watched = self._cameras.setdefault(message.camera, SubscribedCamera())
            watched.heard_at = now
            if isinstance(message, Bodies):
                watched.newest = message
            else:
                watched.facts = message

    def current_meshes(self, now: float) -> list[PersonMesh]:
        """The meshes of the selected camera's people. now: monotonic s."""
        watched = self._choose(now)
        if watched is None or self.paused:
            return self._meshes
        newest = watched.newest
        if newest is not None and newest is not self._newest and now - newest.captured_at < MAX_AGE_S:
            self._newest = newest
            watched.people.add(newest, now)
        self._meshes = watched.people.current_meshes(now)
        return self._meshes

    def mark_drawn(self, now: float) -> None:
        """Record that the last result of `current_meshes` was drawn now: latency is measured up to the screen."""
        for watched in self._cameras.values():
            watched.rates.sample_if_due(now)
        if self._newest is not None and self._newest is not self._drawn:
            self._drawn = self._newest
            self._cameras[self._newest.camera].rates.add(self._newest.captured_at, now)

    def live_cameras(self, now: float) -> list[str]:
        """The names of cameras with recent messages, sorted."""
        return sorted(name for name, watched in self._cameras.items() if now - watched.heard_at < CAMERA_TIMEOUT_S)

    def select_next_camera(self, now: float) -> None:
        """Select the next camera."""
        names = self.live_cameras(now)
        if names:
            self.camera = names[(names.index(self.camera) + 1) % len(names)] if self.camera in names else names[0]

    def latest_rate(self) -> RateSample | None:
        """The last sample of rate and latency at which the selected camera's bodies were drawn."""
        watched = self._cameras.get(self.camera)
        return watched.rates.samples[-1] if watched and watched.rates.samples else None

    def filter_name(self) -> str:
        """The active filter of the selected camera."""
        watched = self._cameras.get(self.camera)
        return watched.facts.filter if watched and watched.facts else "none"

    def problem(self, now: float) -> str:
        """Why no bodies arrive, in one line; "" when all is well."""
        if not self.live_cameras(now):
            return f"waiting for the daemon {self.daemon!r}"
        watched = self._cameras[self.camera or self.live_cameras(now)[0]]
        state = watched.facts.state if watched.facts else "live"
        return "" if state == "live" else f"camera {self.camera}: {state}"

    def close(self) -> None:
        """Close the subscription."""
        self._context.close()

    def _choose(self, now: float) -> SubscribedCamera | None:
        if self.camera not in self.live_cameras(now):
            self.select_next_camera(now)
        return self._cameras.get(self.camera)
