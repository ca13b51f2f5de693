"""What is on show: one camera's people, its picture, and how it is doing."""

from __future__ import annotations

import viser

from remi_stream.messages import Bodies, CameraFacts, Frame
from remi_stream.sinks.views import overlay
from remi_stream.sinks.views.pairs import Pairs
from remi_stream.sinks.views.rates import Rates
from remi_stream.sinks.web import words
from remi_stream.sinks.web.crowd import Crowd
from remi_stream.sinks.web.floor import Floor
from remi_stream.sinks.web.mood import Moods
from remi_stream.sinks.web.panel import Panel
from remi_stream.sinks.web.studio import CAMERA, Studio

OLDEST_S = 1.0
"""Bodies that are older are not shown: they have waited in a queue."""
STATE_S = 0.25


class Watched:
    """What is known of one camera, looked at or not."""

    def __init__(self) -> None:
        self.floor, self.pairs, self.rates = Floor(), Pairs(), Rates()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None


class Show:
    """The scene and the panel, fed with messages. While nobody looks, messages are kept and nothing is drawn."""

    def __init__(self, server: viser.ViserServer, cameras: list[str]) -> None:
        self._server = server
        self._cameras = {name: Watched() for name in cameras}
        self._studio, self._crowd, self._panel = Studio(server), Crowd(server.scene, CAMERA), Panel(server, cameras)
        self._chosen = ""
        self._drawn: Bodies | None = None
        self._told_at = float("-inf")
        moods = Moods()
        self._panel.on_button(self._studio.recentre, moods.turn)
        server.on_client_connect(self._studio.recentre)
        server.on_client_connect(moods.greet)

    @property
    def topics(self) -> list[str]:
        """Everything but pictures, and those of the chosen camera while somebody looks at them."""
        looked_at = self._server.get_clients() and self._panel.wants.picture
        return ["bodies/", "camera/", *([f"preview/{self._panel.camera}"] if looked_at else [])]

    def take(self, message: Bodies | Frame | CameraFacts, now: float) -> None:
        """Keep a message that came now."""
        watched = self._cameras.get(message.camera)
        if watched is None:
            return
        if isinstance(message, CameraFacts):
            watched.facts = message
            return
        watched.pairs.take(message)
        if isinstance(message, Bodies):
            watched.newest = message
            watched.rates.take(message.captured_at, now)

    def draw(self, now: float) -> None:
        """Draw the newest of what has come."""
        stepped = [watched.rates.step(now) for watched in self._cameras.values()]
        if not self._server.get_clients():
            return
        watched = self._choose()
        with self._server.atomic():
            self._draw_people(watched, now)
        self._draw_picture(watched, now)
        if any(stepped):
            self._panel.show_rates(watched.rates)
        if now - self._told_at >= STATE_S:
            self._told_at = now
            self._tell(watched)

    def _choose(self) -> Watched:
        """The camera that is looked through; the other one's people leave."""
        if self._panel.camera != self._chosen:
            self._chosen = self._panel.camera
            self._crowd.clear()
            self._studio.take_down()
        return self._cameras[self._chosen]

    def _draw_people(self, watched: Watched, now: float) -> None:
        bodies, wants = watched.newest, self._panel.wants
        if bodies is not None and bodies is not self._drawn and now - bodies.captured_at < OLDEST_S:
            self._drawn = bodies
            self._crowd.move(bodies, watched.floor, now, skin=wants.body, bones=wants.bones)
            self._studio.place(watched.floor)
            self._studio.aim(bodies, watched.floor)
        self._crowd.forget(now)

    def _draw_picture(self, watched: Watched, now: float) -> None:
        if not self._panel.wants.picture:
            self._studio.take_down()
            return
        pair = watched.pairs.next(now)
        if pair is None:
            return
        picture, bodies = pair
        image = overlay.decode(picture)
        if watched.newest is not None:
            self._studio.hang(image, watched.newest)
        if bodies is not None:
            overlay.draw(image, picture, bodies)
        self._panel.show_picture(image, words.caption(picture, bodies))

    def _tell(self, watched: Watched) -> None:
        engine = watched.newest.engine if watched.newest else ""
        facts = [each.facts for each in self._cameras.values() if each.facts is not None]
        self._panel.show_state(self._crowd.track_ids, engine, facts)
