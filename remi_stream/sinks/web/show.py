"""The web viewer's content: draws one camera's people, live image and status from bus messages."""

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
"""Older bodies are not shown, s: they were delayed in a queue."""
STATE_S = 0.25
"""Update interval of the panel's texts, s."""
WALL_PX = 640
"""Maximum width of the tiled image: it stays as large to send as one camera's."""


class Watched:
    """The state of one camera, selected or not."""

    def __init__(self) -> None:
        self.floor, self.pairs, self.rates = Floor(), Pairs(), Rates()
        self.hops, self.incidents = Hops(), Incidents()
        self.newest: Bodies | None = None
        self.facts: CameraFacts | None = None
        self.image: np.ndarray | None = None
        """The last preview with its overlay; kept for the tiled image."""

    @property
    def paused(self) -> bool:
        """Whether it is a paused recording, whose newest frame is shown at any age."""
        return self.facts is not None and self.facts.playing is not None and self.facts.playing.paused


class Show:
    """Scene and panel. Without a connected client, messages are kept and nothing is drawn."""

    def __init__(self, server: viser.ViserServer, config: Config) -> None:
        self._server = server
        self._cameras = {camera.name: Watched() for camera in config.cameras}
        self._health: dict[str, Health] = {}
        self._tasks = Errands(config.port(CONTROL))
        self._backdrop, self._people = Studio(server), Crowd(server.scene, CAMERA)
        self._panel = Panel(server, config, self._tasks)
        self._chosen = ""
        self._drawn: Bodies | None = None
        self._status_at = float("-inf")
        moods = Moods()
        self._panel.looks.on_button(self._backdrop.recentre, moods.turn)
        server.on_client_connect(self._backdrop.recentre)
        server.on_client_connect(moods.greet)

    @property
    def topics(self) -> list[str]:
        """The topics to subscribe to: previews only of the cameras whose images are shown to a client."""
        wants = self._panel.looks.wants
        shown = bool(self._server.get_clients()) and wants.picture
        cameras = [] if not shown else list(self._cameras) if wants.wall else [self._panel.camera]
        return ["bodies/", "camera/", "health/", *(f"preview/{camera}" for camera in cameras)]

    def take(self, message: Bodies | Frame | CameraFacts | Health, now: float) -> None:
        """Keep a message that arrived now."""
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
        """Draw the newest messages. now: monotonic s."""
        self._tasks.check()
        sampled = [watched.rates.step(now) for watched in self._cameras.values()]
        self._panel.measuring.turn(self._panel.camera, now)
        if not self._server.get_clients():
            return
        watched, wants = self._choose(), self._panel.looks.wants
        with self._server.atomic():  # a client must not see a body with half of its bones moved
            self._draw_people(watched, wants, now)
        self._draw_previews(watched, wants, now)
        if any(sampled):
            self._panel.pace.show(watched.rates, watched.hops.medians(now))
        if now - self._status_at >= STATE_S:
            self._status_at = now
            self._show_status(watched, now)

    def close(self) -> None:
        """Stop the task queue."""
        self._tasks.close()

    def _choose(self) -> Watched:
        """The selected camera; after a change, remove the people and image of the previous one."""
        if self._panel.camera != self._chosen:
            self._chosen = self._panel.camera
            self._people.clear()
            self._backdrop.take_down()
        return self._cameras[self._chosen]

    def _draw_people(self, watched: Watched, wants: Wants, now: float) -> None:
        bodies = watched.newest
        if bodies is not None and bodies is not self._drawn and (watched.paused or now - bodies.captured_at < OLDEST_S):
            self._drawn = bodies
            parts = {"skin": wants.body, "bones": wants.bones, "rated": wants.rated, "trail": wants.trails}
            self._people.move(bodies, watched.floor, now, **parts)
            self._backdrop.place(watched.floor)
            self._backdrop.aim(bodies, watched.floor)
        if bodies is not None and watched.paused:
            self._people.hold(bodies, now)
        self._people.forget(now)

    def _draw_previews(self, watched: Watched, wants: Wants, now: float) -> None:
        if not wants.picture:
            self._backdrop.take_down()
            return
        captions = {name: self._draw_preview(each, each is watched, wants, now) for name, each in self._shown(wants).items()}
        if not wants.wall and captions[self._chosen]:
            assert watched.image is not None
            self._panel.show_picture(watched.image, captions[self._chosen])
        elif wants.wall and any(captions.values()):
            images = [each.image for each in self._cameras.values() if each.image is not None]
            self._panel.show_picture(_shrink(side_by_side(images)), ", ".join(self._cameras))

    def _shown(self, wants: Wants) -> dict[str, Watched]:
        """The cameras whose images are shown."""
        return self._cameras if wants.wall else {self._chosen: self._cameras[self._chosen]}

    def _draw_preview(self, watched: Watched, chosen: bool, wants: Wants, now: float) -> str:
        """Draw a camera's next preview; return its caption, or "" when there is none."""
        pair = watched.pairs.next(now)
        if pair is None:
            return ""
        preview, bodies = pair
        watched.image = overlay.decode(preview)
        if chosen and watched.newest is not None:
            # Before the overlay is drawn: the frustum shows the plain image.
            self._backdrop.hang(watched.image, watched.newest)
        if bodies is not None:
            overlay.draw(watched.image, preview, bodies, rated=wants.rated)
        return words.caption(preview, bodies)

    def _show_status(self, watched: Watched, now: float) -> None:
        engine = watched.newest.engine if watched.newest else ""
        seen = [Seen(each.facts, each.incidents) for each in self._cameras.values() if each.facts is not None]
        self._panel.show_people([somebody(person) for person in self._people.people])
        self._panel.show_state(engine, seen, self._health)
        self._panel.looks.show()
        self._panel.filters.show(watched.facts)
        self._panel.player.show(watched.facts)
        self._panel.measuring.show(now)


def _shrink(image: np.ndarray) -> np.ndarray:
    """Scale an image down to TILED_WIDTH_PX, if it is wider."""
    share = WALL_PX / image.shape[1]
    return image if share >= 1 else cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
