"""Subscriber of a daemon's bus: the newest bodies of the selected camera as meshes, their rate and latency."""

from __future__ import annotations

import time
from collections.abc import Iterable

from remi_stream.messages import Bodies, CameraFacts
from remi_stream.sinks.aitviewer.meshes import PeopleMeshes, PersonMesh
from remi_stream.sinks.live_view import CameraPresence, RateSample, ViewedCamera
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import LinkContext, Subscriber

CAMERA_TIMEOUT_S = 3.0
"""A camera without messages for longer is considered gone, s. Camera facts are published twice a second."""


class SubscribedCamera(ViewedCamera):
    """One camera of the daemon."""

    def __init__(self) -> None:
        super().__init__()
        self.people = PeopleMeshes()
        self.presence = CameraPresence(time.monotonic())
        self.last_message_at = float("-inf")
        """Monotonic s."""


class BodySubscriber:
    """Keeps the newest bodies of each camera of a daemon; there is no queue."""

    def __init__(self, daemon: DaemonAddress) -> None:
        self.daemon = daemon.name
        self.camera = ""
        """The selected camera; "" before the first message."""
        self.is_paused = False
        """While paused, the shown meshes do not change."""
        self._context = LinkContext()
        self._bus = Subscriber(self._context, daemon, ["bodies/", "camera/"])
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
            camera = self._cameras.setdefault(message.camera, SubscribedCamera())
            camera.last_message_at = now
            if isinstance(message, Bodies):
                camera.newest = message
                camera.presence.mark_image(now)
            else:
                camera.facts = message
                camera.presence.update(message, now)

    def current_meshes(self, now: float) -> list[PersonMesh]:
        """The meshes of the selected camera's people. now: monotonic s."""
        camera = self._selected_camera(now)
        if camera is None or self.is_paused:
            return self._meshes
        bodies = camera.next_bodies(now)
        if bodies is not None:
            self._newest = bodies
            camera.people.add(bodies, now)
        if camera.is_paused and camera.newest is not None:
            camera.people.keep_visible(camera.newest, now)
        self._meshes = camera.people.current_meshes(now)
        return self._meshes

    def mark_drawn(self, now: float) -> None:
        """Record that the last result of `current_meshes` was drawn now: latency is measured up to the screen."""
        for camera in self._cameras.values():
            camera.rates.sample_if_due(now)
        if self._newest is not None and self._newest is not self._drawn:
            self._drawn = self._newest
            self._cameras[self._newest.camera].rates.add(self._newest.captured_at, now)

    def live_cameras(self, now: float) -> list[str]:
        """The names of cameras with recent messages, sorted."""
        return sorted(name for name, camera in self._cameras.items() if now - camera.last_message_at < CAMERA_TIMEOUT_S)

    def select_next_camera(self, now: float) -> None:
        """Select the next camera."""
        names = self.live_cameras(now)
        if names:
            self.camera = names[(names.index(self.camera) + 1) % len(names)] if self.camera in names else names[0]

    def latest_rate(self) -> RateSample | None:
        """The last sample of rate and latency at which the selected camera's bodies were drawn."""
        camera = self._cameras.get(self.camera)
        return camera.rates.samples[-1] if camera and camera.rates.samples else None

    def filter_name(self) -> str:
        """The active filter of the selected camera."""
        camera = self._cameras.get(self.camera)
        return camera.facts.filter if camera and camera.facts else "none"

    def problem(self, now: float) -> str:
        """Why no bodies arrive, in one line; "" when all is well."""
        if not self.live_cameras(now):
            return f"waiting for the daemon {self.daemon!r}"
        name = self.camera or self.live_cameras(now)[0]
        presence, facts = self._cameras[name].presence, self._cameras[name].facts
        has_ended = facts is not None and facts.state == "ended"
        return f"camera {name}: {presence.text(now)}" if presence.is_away(now) or has_ended else ""

    def close(self) -> None:
        """Close the subscription."""
        self._context.close()

    def _selected_camera(self, now: float) -> SubscribedCamera | None:
        if self.camera not in self.live_cameras(now):
            self.select_next_camera(now)
        return self._cameras.get(self.camera)
