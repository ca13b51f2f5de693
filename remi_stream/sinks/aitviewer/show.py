"""What is on show: the newest bodies of one camera, and how they come."""

from __future__ import annotations

import time
from collections.abc import Iterable

from remi_stream.config import BUS, port
from remi_stream.link import Context, Subscriber
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.sinks.aitviewer.figures import Figures, Mesh
from remi_stream.sinks.views.rates import Moment, Rates

SILENT_S = 3.0
"""Facts about cameras come twice a second; who is silent for so long has gone."""
OLDEST_S = 1.0
"""Bodies that are older are not shown."""


class Watched:
    """What is known of one camera. heard_at: monotonic seconds."""

    def __init__(self) -> None:
        self.figures, self.rates = Figures(), Rates()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None
        self.heard_at = float("-inf")


class Show:
    """Listens to a daemon's bus. Nothing waits in here: the newest of each camera is kept, what is older than a second left out.

    camera: the one that is looked through, "" before any was heard. paused: what is shown stays as it is.
    """

    def __init__(self, daemon: str) -> None:
        self.daemon = daemon
        self.camera = ""
        self.paused = False
        self._context = Context()
        self._bus = Subscriber(self._context, port(daemon, BUS), ["bodies/", "camera/"])
        self._cameras: dict[str, Watched] = {}
        self._meshes: list[Mesh] = []
        self._taken: Bodies | None = None
        self._drawn: Bodies | None = None

    def listen(self, timeout_s: float) -> None:
        """Take in what has come, waiting a moment for the first of it."""
        self.take(self._bus.newest(timeout_s).values(), time.monotonic())

    def take(self, messages: Iterable[Bodies | CameraFacts], now: float) -> None:
        """Keep messages that came now."""
        for message in messages:
            watched = self._cameras.setdefault(message.camera, Watched())
            watched.heard_at = now
            if isinstance(message, Bodies):
                watched.newest = message
            else:
                watched.facts = message

    def meshes(self, now: float) -> list[Mesh]:
        """Everybody whom the chosen camera sees."""
        watched = self._choose(now)
        if watched is None or self.paused:
            return self._meshes
        newest = watched.newest
        if newest is not None and newest is not self._taken and now - newest.captured_at < OLDEST_S:
            self._taken = newest
            watched.figures.take(newest, now)
        self._meshes = watched.figures.present(now)
        return self._meshes

    def drawn(self, now: float) -> None:
        """Note that what `meshes` gave is on the screen since now."""
        for watched in self._cameras.values():
            watched.rates.step(now)
        if self._taken is not None and self._taken is not self._drawn:
            self._drawn = self._taken
            self._cameras[self._taken.camera].rates.take(self._taken.captured_at, now)

    def cameras(self, now: float) -> list[str]:
        """Those that are heard."""
        return sorted(name for name, watched in self._cameras.items() if now - watched.heard_at < SILENT_S)

    def turn_to_next_camera(self, now: float) -> None:
        """Look through another camera."""
        names = self.cameras(now)
        if names:
            self.camera = names[(names.index(self.camera) + 1) % len(names)] if self.camera in names else names[0]

    def moment(self) -> Moment | None:
        """How the chosen camera's bodies were drawn lately: how many a second, and how old they were."""
        watched = self._cameras.get(self.camera)
        return watched.rates.moments[-1] if watched and watched.rates.moments else None

    def filter(self) -> str:
        """What smooths the chosen camera's people."""
        watched = self._cameras.get(self.camera)
        return watched.facts.filter if watched and watched.facts else "none"

    def trouble(self, now: float) -> str:
        """Why nobody moves, in one line; "" when all is well."""
        if not self.cameras(now):
            return f"waiting for the daemon {self.daemon!r}"
        watched = self._cameras[self.camera or self.cameras(now)[0]]
        state = watched.facts.state if watched.facts else "live"
        return "" if state == "live" else f"camera {self.camera}: {state}"

    def close(self) -> None:
        """Stop listening."""
        self._context.close()

    def _choose(self, now: float) -> Watched | None:
        if self.camera not in self.cameras(now):
            self.turn_to_next_camera(now)
        return self._cameras.get(self.camera)
