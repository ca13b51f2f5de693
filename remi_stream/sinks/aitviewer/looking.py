"""Live view of a daemon with aitviewer: in a window, or rendered offscreen to a video."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.sinks.aitviewer.figures import PersonMesh
from remi_stream.sinks.aitviewer.film import VIDEO_FPS, ViewerVideo
from remi_stream.sinks.aitviewer.present import INSTALL_HINT, require_aitviewer, require_screen
from remi_stream.sinks.aitviewer.show import BodySubscriber
from remi_stream.sinks.aitviewer.viewpoint import ViewDirection, Viewpoint, fit_viewpoint, interpolate_viewpoint
from remi_stream.sinks.views.palette import Rgb, track_colour

Report = Callable[[str], None]
"""Prints a line to the user."""
Size = tuple[int, int]

VIEW_KEYS: dict[str, ViewDirection] = {"1": "front", "2": "side", "3": "top"}
KEY_HELP = {
    "1 2 3": "View from the front, from the side, from above.",
    "N": "Show the next camera.",
    "SPACE": "Pause or continue.",
    "Q": "Quit.",
}
"""Our keys with their help, added to aitviewer's own list of shortcuts."""
FIRST_MESSAGE_TIMEOUT_S = 1.0
"""Time to wait for the first message, s."""
MIN_FRAME_INTERVAL_S = 1 / 60
"""Minimum time between two frames of the window, s."""
IDLE_FRAME_INTERVAL_S = 1 / 30
"""Time between two frames without new bodies, s: the user may turn the view."""
FOLLOW_TIME_S = 1.5
"""Time constant with which the viewpoint of a video follows people, s."""


class LiveViewer:
    """Draws the newest people and a status panel. report: gets a line when the daemon or camera goes or comes back."""

    def __init__(self, subscriber: BodySubscriber, window: Any, report: Report) -> None:
        self.subscriber, self.window, self._report_line = subscriber, window, report
        self._view: ViewDirection | None = "front"
        self._viewpoint: Viewpoint | None = None
        self._camera = self._problem = self._reported = ""

    def draw(self, now: float, share: float = 0.0) -> None:
        """Draw the newest bodies. share: fraction of the way that the viewpoint moves towards people. now: monotonic s."""
        meshes = self.subscriber.current_meshes(now)
        if self.subscriber.camera != self._camera:
            self._camera, self._view = self.subscriber.camera, self._view or "front"
        self._aim([mesh.vertices for mesh in meshes], share)
        self._report_state(now)
        self.window.show(meshes)
        rate = self._problem or self._rate(len(meshes))
        self.window.draw(f"remi-stream {self.subscriber.daemon}: {rate}", self._lines(rate, meshes))

    def handle_keys(self, now: float) -> bool:
        """Handle the keys; return False to quit."""
        for key in self.window.pressed():
            if key == "q":
                return False
            if key in VIEW_KEYS:
                self._view = VIEW_KEYS[key]
            elif key == "n":
                self.subscriber.select_next_camera(now)
            elif key == "space":
                self.subscriber.paused = not self.subscriber.paused
        return not self.window.closed

    def _aim(self, people: list[np.ndarray], share: float) -> None:
        """Point the camera at people: at once after a key, else by a share of the way."""
        if people and (self._view or share):
            wanted = fit_viewpoint(people, self._view or "front", self.window.aspect)
            self._viewpoint = (
                wanted if self._view or self._viewpoint is None else interpolate_viewpoint(self._viewpoint, wanted, share)
            )
            self._view = None
            self.window.look(self._viewpoint)

    def _report_state(self, now: float) -> None:
        self._problem = self.subscriber.problem(now)
        line = self._problem or f"showing camera {self.subscriber.camera}"
        if line != self._reported:
            self._reported = line
            self._report_line(line)

    def _rate(self, people: int) -> str:
        """The rate and age of the selected camera's bodies as drawn."""
        moment = self.subscriber.latest_rate()
        if moment is None or not moment.fps:
            return "less than one body a second drawn" if people else "no one in view"
        return f"{moment.fps:.0f} bodies/s drawn, {moment.p50_ms:.0f} ms old (95 %: {moment.p95_ms:.0f} ms)"

    def _lines(self, rate: str, meshes: list[PersonMesh]) -> list[tuple[str, Rgb | None]]:
        """The lines of the panel."""
        camera = f"{self.subscriber.camera or 'no camera'}, filter {self.subscriber.filter_name()}"
        lines: list[tuple[str, Rgb | None]] = [(camera, None), (rate, None)]
        if self.subscriber.paused:
            lines.append(("paused: SPACE continues", None))
        return lines + [(f"person {mesh.track_id}", track_colour(mesh.track_id)) for mesh in meshes]


def show_window(daemon: str, size: Size, duration_s: float | None, report: Report) -> None:
    """Show a daemon's people in a window until it is closed. Raises RemiError without aitviewer or a screen."""
    require_aitviewer()
    require_screen()
    with _live_viewer(daemon, size, report, window=True) as viewer:
        end = _end(duration_s)
        while viewer.handle_keys(drawn_at := time.monotonic()) and drawn_at < end:
            viewer.draw(drawn_at)
            viewer.subscriber.mark_drawn(time.monotonic())
            time.sleep(max(0.0, drawn_at + MIN_FRAME_INTERVAL_S - time.monotonic()))
            viewer.subscriber.receive(max(0.0, drawn_at + IDLE_FRAME_INTERVAL_S - time.monotonic()))


def render_video(daemon: str, path: Path, size: Size, duration_s: float | None, report: Report) -> int:
    """Render a daemon's people offscreen to a video, until Ctrl-C; return the number of frames. Raises RemiError."""
    require_aitviewer()
    with contextlib.closing(ViewerVideo(path, size)) as video, _live_viewer(daemon, size, report, window=False) as viewer:
        began = drawn_at = time.monotonic()
        end = _end(duration_s)
        with contextlib.suppress(KeyboardInterrupt):
            while (now := time.monotonic()) < end:
                viewer.draw(now, min(1.0, (now - drawn_at) / FOLLOW_TIME_S))
                video.add(viewer.window.image(), now - began)
                viewer.subscriber.mark_drawn(time.monotonic())
                drawn_at = now
                time.sleep(max(0.0, now + 1 / VIDEO_FPS - time.monotonic()))
                viewer.subscriber.receive(0)
        return video.frames


def _end(duration_s: float | None) -> float:
    return time.monotonic() + (float("inf") if duration_s is None else duration_s)


@contextlib.contextmanager
def _live_viewer(daemon: str, size: Size, tell: Report, *, window: bool) -> Iterator[LiveViewer]:
    try:
        from remi_stream.sinks.aitviewer.room import AitviewerWindow
    except ImportError as error:
        raise RemiError(f"aitviewer cannot be imported: {error}. Reinstall it: {INSTALL_HINT}") from None
    room = AitviewerWindow(f"remi-stream {daemon}", size, window=window, keys=KEY_HELP)
    show = BodySubscriber(daemon)
    show.receive(FIRST_MESSAGE_TIMEOUT_S)
    with contextlib.closing(show), contextlib.closing(room):
        yield LiveViewer(show, room, tell)
