"""Live view of a daemon with aitviewer: in a window, or rendered offscreen to a video."""

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
"""Prints a line to the user."""
Size = tuple[int, int]

VIEWS: dict[str, View] = {"1": "front", "2": "side", "3": "top"}
KEYS = {
    "1 2 3": "View from the front, from the side, from above.",
    "N": "Show the next camera.",
    "SPACE": "Pause or continue.",
    "Q": "Quit.",
}
"""Our keys with their help, added to aitviewer's own list of shortcuts."""
PATIENCE_S = 1.0
"""Time to wait for the first message, s."""
FASTEST_S = 1 / 60
"""Minimum time between two frames of the window, s."""
IDLE_S = 1 / 30
"""Time between two frames without new bodies, s: the user may turn the view."""
FOLLOW_S = 1.5
"""Time constant with which the viewpoint of a video follows people, s."""


class Looking:
    """Draws the newest people and a status panel. report: gets a line when the daemon or camera goes or comes back."""

    def __init__(self, show: Show, room: Any, tell: Tell) -> None:
        self.show, self.room, self._report_line = show, room, tell
        self._view: View | None = "front"
        self._viewpoint: Viewpoint | None = None
        self._camera = self._problem = self._reported = ""

    def draw(self, now: float, share: float = 0.0) -> None:
        """Draw the newest bodies. share: fraction of the way that the viewpoint moves towards people. now: monotonic s."""
        meshes = self.show.meshes(now)
        if self.show.camera != self._camera:
            self._camera, self._view = self.show.camera, self._view or "front"
        self._aim([mesh.vertices for mesh in meshes], share)
        self._report_state(now)
        self.room.show(meshes)
        rate = self._problem or self._rate(len(meshes))
        self.room.draw(f"remi-stream {self.show.daemon}: {rate}", self._lines(rate, meshes))

    def obey(self, now: float) -> bool:
        """Handle the keys; return False to quit."""
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
        """Point the camera at people: at once after a key, else by a share of the way."""
        if people and (self._view or share):
            wanted = viewpoint(people, self._view or "front", self.room.aspect)
            self._viewpoint = wanted if self._view or self._viewpoint is None else towards(self._viewpoint, wanted, share)
            self._view = None
            self.room.look(self._viewpoint)

    def _report_state(self, now: float) -> None:
        self._problem = self.show.trouble(now)
        line = self._problem or f"showing camera {self.show.camera}"
        if line != self._reported:
            self._reported = line
            self._report_line(line)

    def _rate(self, people: int) -> str:
        """The rate and age of the selected camera's bodies as drawn."""
        moment = self.show.moment()
        if moment is None or not moment.fps:
            return "less than one body a second drawn" if people else "no one in view"
        return f"{moment.fps:.0f} bodies/s drawn, {moment.p50_ms:.0f} ms old (95 %: {moment.p95_ms:.0f} ms)"

    def _lines(self, rate: str, meshes: list[Mesh]) -> list[tuple[str, Rgb | None]]:
        """The lines of the panel."""
        camera = f"{self.show.camera or 'no camera'}, filter {self.show.filter()}"
        lines: list[tuple[str, Rgb | None]] = [(camera, None), (rate, None)]
        if self.show.paused:
            lines.append(("paused: SPACE continues", None))
        return lines + [(f"person {mesh.track_id}", colour_of(mesh.track_id)) for mesh in meshes]


def watch(daemon: str, size: Size, duration_s: float | None, tell: Tell) -> None:
    """Show a daemon's people in a window until it is closed. Raises RemiError without aitviewer or a screen."""
    need_aitviewer()
    need_screen()
    with _live_viewer(daemon, size, tell, window=True) as viewer:
        end = _end(duration_s)
        while viewer.obey(drawn_at := time.monotonic()) and drawn_at < end:
            viewer.draw(drawn_at)
            viewer.show.drawn(time.monotonic())
            time.sleep(max(0.0, drawn_at + FASTEST_S - time.monotonic()))
            viewer.show.listen(max(0.0, drawn_at + IDLE_S - time.monotonic()))


def film(daemon: str, path: Path, size: Size, duration_s: float | None, tell: Tell) -> int:
    """Render a daemon's people offscreen to a video, until Ctrl-C; return the number of frames. Raises RemiError."""
    need_aitviewer()
    with contextlib.closing(Film(path, size)) as video, _live_viewer(daemon, size, tell, window=False) as viewer:
        began = drawn_at = time.monotonic()
        end = _end(duration_s)
        with contextlib.suppress(KeyboardInterrupt):
            while (now := time.monotonic()) < end:
                viewer.draw(now, min(1.0, (now - drawn_at) / FOLLOW_S))
                video.add(viewer.room.image(), now - began)
                viewer.show.drawn(time.monotonic())
                drawn_at = now
                time.sleep(max(0.0, now + 1 / FPS - time.monotonic()))
                viewer.show.listen(0)
        return video.pictures


def _end(duration_s: float | None) -> float:
    return time.monotonic() + (float("inf") if duration_s is None else duration_s)


@contextlib.contextmanager
def _live_viewer(daemon: str, size: Size, tell: Tell, *, window: bool) -> Iterator[Looking]:
    try:
        from remi_stream.sinks.aitviewer.room import Room
    except ImportError as error:
        raise RemiError(f"aitviewer cannot be imported: {error}. Reinstall it: {INSTALL}") from None
    room = Room(f"remi-stream {daemon}", size, window=window, keys=KEYS)
    show = Show(daemon)
    show.listen(PATIENCE_S)
    with contextlib.closing(show), contextlib.closing(room):
        yield Looking(show, room, tell)
