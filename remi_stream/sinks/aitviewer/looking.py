"""Looking at a daemon's people with aitviewer: live in a window, or filmed without one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.sinks.aitviewer.figures import Mesh
from remi_stream.sinks.aitviewer.film import FPS, Film
from remi_stream.sinks.aitviewer.present import INSTALL, need_aitviewer, need_screen
from remi_stream.sinks.aitviewer.show import Show
from remi_stream.sinks.aitviewer.viewpoint import View, Viewpoint, towards, viewpoint
from remi_stream.sinks.views.palette import Rgb, colour_of

Tell = Callable[[str], None]
"""Says a line to the person."""
Size = tuple[int, int]

VIEWS: dict[str, View] = {"1": "front", "2": "side", "3": "top"}
KEYS = {
    "1 2 3": "Look from the front, from the side, from above.",
    "N": "Look through the next camera.",
    "SPACE": "Hold people still, and let them go on.",
    "Q": "Quit.",
}
PATIENCE_S = 1.0
FASTEST_S = 1 / 60
IDLE_S = 1 / 30
"""A window is drawn so often when nothing comes, for who turns it."""
FOLLOW_S = 1.5
"""How slowly whoever films turns after people."""


class Looking:
    """The newest people in a room, a panel that tells how they come. tell: hears when the daemon goes and when it is back."""

    def __init__(self, show: Show, room: Any, tell: Tell) -> None:
        self.show, self.room, self._tell = show, room, tell
        self._view: View | None = "front"
        self._seen: Viewpoint | None = None
        self._camera = self._trouble = self._said = ""

    def draw(self, now: float, share: float = 0.0) -> None:
        """Draw the newest of what has come. share: how much of the way is turned after people who walk."""
        meshes = self.show.meshes(now)
        if self.show.camera != self._camera:
            self._camera, self._view = self.show.camera, self._view or "front"
        self._aim([mesh.vertices for mesh in meshes], share)
        self._report(now)
        self.room.show(meshes)
        rate = self._trouble or self._rate(len(meshes))
        self.room.draw(f"remi-stream {self.show.daemon}: {rate}", self._lines(rate, meshes))

    def obey(self, now: float) -> bool:
        """Do what the keys ask for; False to quit."""
        for key in self.room.pressed():
            if key == "q":
                return False
            if key in VIEWS:
                self._view = VIEWS[key]
            elif key == "n":
                self.show.turn_to_next_camera(now)
            elif key == "space":
                self.show.paused = not self.show.paused
        return not self.room.closed

    def _aim(self, people: list[np.ndarray], share: float) -> None:
        """Look at people when asked to, and after them by a share of the way."""
        if people and (self._view or share):
            wanted = viewpoint(people, self._view or "front", self.room.aspect)
            self._seen = wanted if self._view or self._seen is None else towards(self._seen, wanted, share)
            self._view = None
            self.room.look(self._seen)

    def _report(self, now: float) -> None:
        self._trouble = self.show.trouble(now)
        line = self._trouble or f"looking through {self.show.camera}"
        if line != self._said:
            self._said = line
            self._tell(line)

    def _rate(self, people: int) -> str:
        """How the chosen camera's bodies come to the screen."""
        moment = self.show.moment()
        if moment is None or not moment.fps:
            return "less than one body a second drawn" if people else "nobody is there"
        return f"{moment.fps:.0f} bodies/s drawn, {moment.p50_ms:.0f} ms old (95 %: {moment.p95_ms:.0f} ms)"

    def _lines(self, rate: str, meshes: list[Mesh]) -> list[tuple[str, Rgb | None]]:
        """What the panel says."""
        camera = f"{self.show.camera or 'no camera'}, filter {self.show.filter()}"
        lines: list[tuple[str, Rgb | None]] = [(camera, None), (rate, None)]
        if self.show.paused:
            lines.append(("held: SPACE goes on", None))
        return lines + [(f"person {mesh.track_id}", colour_of(mesh.track_id)) for mesh in meshes]


def watch(daemon: str, size: Size, duration_s: float | None, tell: Tell) -> None:
    """Show a daemon's people in a window, until it is closed. Raises RemiError when there is no aitviewer, or no screen."""
    need_aitviewer()
    need_screen()
    with _looking(daemon, size, tell, window=True) as looking:
        end = _end(duration_s)
        while looking.obey(drawn_at := time.monotonic()) and drawn_at < end:
            looking.draw(drawn_at)
            looking.show.drawn(time.monotonic())
            time.sleep(max(0.0, drawn_at + FASTEST_S - time.monotonic()))
            looking.show.listen(max(0.0, drawn_at + IDLE_S - time.monotonic()))


def film(daemon: str, path: Path, size: Size, duration_s: float | None, tell: Tell) -> int:
    """Film a daemon's people without a window, until Ctrl-C; give how many pictures were taken. Raises RemiError."""
    need_aitviewer()
    with contextlib.closing(Film(path, size)) as film, _looking(daemon, size, tell, window=False) as looking:
        began = taken_at = time.monotonic()
        end = _end(duration_s)
        with contextlib.suppress(KeyboardInterrupt):
            while (now := time.monotonic()) < end:
                looking.draw(now, min(1.0, (now - taken_at) / FOLLOW_S))
                film.add(looking.room.image(), now - began)
                looking.show.drawn(time.monotonic())
                taken_at = now
                time.sleep(max(0.0, now + 1 / FPS - time.monotonic()))
                looking.show.listen(0)
        return film.pictures


def _end(duration_s: float | None) -> float:
    return time.monotonic() + (float("inf") if duration_s is None else duration_s)


@contextlib.contextmanager
def _looking(daemon: str, size: Size, tell: Tell, *, window: bool) -> Iterator[Looking]:
    try:
        from remi_stream.sinks.aitviewer.room import Room
    except ImportError as error:
        raise RemiError(f"aitviewer cannot be loaded: {error}. Install it anew: {INSTALL}") from None
    room = Room(f"remi-stream {daemon}", size, window=window, keys=KEYS)
    show = Show(daemon)
    show.listen(PATIENCE_S)
    with contextlib.closing(show), contextlib.closing(room):
        yield Looking(show, room, tell)
