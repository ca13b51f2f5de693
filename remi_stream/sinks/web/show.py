"""What is on show: one camera's people, its picture, and how it is doing."""

from __future__ import annotations

import cv2
import numpy as np
import viser

from remi_stream.config import CONTROL, Config
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.sinks.views import overlay
from remi_stream.sinks.views.floor import Floor
from remi_stream.sinks.views.hops import Hops
from remi_stream.sinks.views.incidents import Incidents
from remi_stream.sinks.views.pairs import Pairs
from remi_stream.sinks.views.rates import Rates
from remi_stream.sinks.views.wall import side_by_side
from remi_stream.sinks.web import words
from remi_stream.sinks.web.crowd import Crowd
from remi_stream.sinks.web.errands import Errands
from remi_stream.sinks.web.looks import Wants
from remi_stream.sinks.web.mood import Moods
from remi_stream.sinks.web.panel import Panel
from remi_stream.sinks.web.people import somebody
from remi_stream.sinks.web.state import Seen
from remi_stream.sinks.web.studio import CAMERA, Studio

OLDEST_S = 1.0
"""Bodies that are older are not shown: they have waited in a queue."""
STATE_S = 0.25
WALL_PX = 640


class Watched:
    """What is known of one camera, looked at or not."""

    def __init__(self) -> None:
        self.floor, self.pairs, self.rates = Floor(), Pairs(), Rates()
        self.hops, self.incidents = Hops(), Incidents()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None
        self.image: np.ndarray | None = None
        """The last picture of it with the skeletons, while those of all cameras are shown."""

    @property
    def paused(self) -> bool:
        """Whether it is a recording that stands still: its newest frame is shown however old it is."""
        return self.facts is not None and self.facts.playing is not None and self.facts.playing.paused


class Show:
    """The scene and the panel, fed with messages. While nobody looks, messages are kept and nothing is drawn."""

    def __init__(self, server: viser.ViserServer, config: Config) -> None:
        self._server = server
        self._cameras = {camera.name: Watched() for camera in config.cameras}
        self._health: dict[str, Health] = {}
        self._errands = Errands(config.port(CONTROL))
        self._studio, self._crowd = Studio(server), Crowd(server.scene, CAMERA)
        self._panel = Panel(server, config, self._errands)
        self._chosen = ""
        self._drawn: Bodies | None = None
        self._told_at = float("-inf")
        moods = Moods()
        self._panel.looks.on_button(self._studio.recentre, moods.turn)
        server.on_client_connect(self._studio.recentre)
        server.on_client_connect(moods.greet)

    @property
    def topics(self) -> list[str]:
        """Everything but pictures, and those that somebody looks at."""
        wants = self._panel.looks.wants
        looked_at = bool(self._server.get_clients()) and wants.picture
        pictured = [] if not looked_at else list(self._cameras) if wants.wall else [self._panel.camera]
        return ["bodies/", "camera/", "health/", *(f"preview/{camera}" for camera in pictured)]

    def take(self, message: Bodies | Frame | CameraFacts | Health, now: float) -> None:
        """Keep a message that came now."""
        if isinstance(message, Health):
            self._health[message.stage] = message
            return
        watched = self._cameras.get(message.camera)
        if watched is None:
            return
        if isinstance(message, CameraFacts):
            watched.facts = message
            watched.incidents.take(message)
            return
        watched.pairs.take(message)
        if isinstance(message, Bodies):
            watched.newest = message
            watched.rates.take(message.captured_at, now)
            watched.hops.take(message, now)
            self._panel.measuring.take(message, now)

    def draw(self, now: float) -> None:
        """Draw the newest of what has come."""
        self._errands.check()
        stepped = [watched.rates.step(now) for watched in self._cameras.values()]
        self._panel.measuring.turn(self._panel.camera, now)
        if not self._server.get_clients():
            return
        watched, wants = self._choose(), self._panel.looks.wants
        with self._server.atomic():
            self._draw_people(watched, wants, now)
        self._draw_pictures(watched, wants, now)
        if any(stepped):
            self._panel.pace.show(watched.rates, watched.hops.medians(now))
        if now - self._told_at >= STATE_S:
            self._told_at = now
            self._tell(watched, now)

    def close(self) -> None:
        """Run no more errands."""
        self._errands.close()

    def _choose(self) -> Watched:
        """The camera that is looked through; the other one's people leave."""
        if self._panel.camera != self._chosen:
            self._chosen = self._panel.camera
            self._crowd.clear()
            self._studio.take_down()
        return self._cameras[self._chosen]

    def _draw_people(self, watched: Watched, wants: Wants, now: float) -> None:
        bodies = watched.newest
        if bodies is not None and bodies is not self._drawn and (watched.paused or now - bodies.captured_at < OLDEST_S):
            self._drawn = bodies
            seen = {"skin": wants.body, "bones": wants.bones, "rated": wants.rated, "trail": wants.trails}
            self._crowd.move(bodies, watched.floor, now, **seen)
            self._studio.place(watched.floor)
            self._studio.aim(bodies, watched.floor)
        if bodies is not None and watched.paused:
            self._crowd.hold(bodies, now)
        self._crowd.forget(now)

    def _draw_pictures(self, watched: Watched, wants: Wants, now: float) -> None:
        if not wants.picture:
            self._studio.take_down()
            return
        pictures = {name: self._draw_picture(each, each is watched, wants, now) for name, each in self._shown(wants).items()}
        if not wants.wall and pictures[self._chosen]:
            assert watched.image is not None
            self._panel.show_picture(watched.image, pictures[self._chosen])
        elif wants.wall and any(pictures.values()):
            images = [each.image for each in self._cameras.values() if each.image is not None]
            self._panel.show_picture(_small(side_by_side(images)), ", ".join(self._cameras))

    def _shown(self, wants: Wants) -> dict[str, Watched]:
        """The cameras whose pictures are shown."""
        return self._cameras if wants.wall else {self._chosen: self._cameras[self._chosen]}

    def _draw_picture(self, watched: Watched, chosen: bool, wants: Wants, now: float) -> str:
        """Draw a camera's next picture; give its caption, or "" when there is none."""
        pair = watched.pairs.next(now)
        if pair is None:
            return ""
        picture, bodies = pair
        watched.image = overlay.decode(picture)
        if chosen and watched.newest is not None:
            self._studio.hang(watched.image, watched.newest)
        if bodies is not None:
            overlay.draw(watched.image, picture, bodies, rated=wants.rated)
        return words.caption(picture, bodies)

    def _tell(self, watched: Watched, now: float) -> None:
        engine = watched.newest.engine if watched.newest else ""
        seen = [Seen(each.facts, each.incidents) for each in self._cameras.values() if each.facts is not None]
        self._panel.show_people([somebody(person) for person in self._crowd.people])
        self._panel.show_state(engine, seen, self._health)
        self._panel.looks.show()
        self._panel.filters.show(watched.facts)
        self._panel.player.show(watched.facts)
        self._panel.measuring.show(now)


def _small(image: np.ndarray) -> np.ndarray:
    """A picture as wide as one camera's."""
    share = WALL_PX / image.shape[1]
    return image if share >= 1 else cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
