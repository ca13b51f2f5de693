"""Requirements of aitviewer: checks that it is installed and that a window can be opened."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from remi_stream.config import BUS_SERVICE, daemon_port
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, CameraFacts
from remi_stream.render.colours import Rgb, track_colour
from remi_stream.sinks.aitviewer.meshes import PeopleMeshes, PersonMesh
from remi_stream.sinks.aitviewer.window import ViewDirection, Viewpoint, fit_viewpoint, interpolate_viewpoint
from remi_stream.sinks.live_view import RateHistory, RateSample
from remi_stream.transport.link import LinkContext, Subscriber

INSTALL_HINT = "pip install 'remi-stream[aitviewer]' (Python 3.10 or 3.11, best in a venv of its own: it installs another OpenCV)"
ALTERNATIVE = "Render a video with --render FILE.mp4, or use a browser: remi-stream view"
QT_PROBE = "from PyQt6.QtWidgets import QApplication; QApplication([])"


def require_aitviewer() -> None:
    """Raise RemiError when aitviewer is not installed."""
    if importlib.util.find_spec("aitviewer") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        raise RemiError(f"aitviewer is not installed here (Python {version}). Install it: {INSTALL_HINT}")


def require_screen() -> None:
    """Raise RemiError when no window can be opened. Tried in a subprocess, since Qt aborts the process that fails."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RemiError(f"Cannot open a window: there is no screen here. {ALTERNATIVE}")
    probe = subprocess.run([sys.executable, "-c", QT_PROBE], capture_output=True, text=True)
    if probe.returncode:
        lines = [line for line in probe.stderr.splitlines() if line.strip()]
        raise RemiError(f"Cannot open a window: {lines[0].strip() if lines else 'Qt does not start'}. {ALTERNATIVE}")


# Video file of what the viewer renders: H.264 in MP4 with variable frame rate.


TICKS_PER_S = 90_000
"""Time base of MPEG timestamps."""
VIDEO_FPS = 30
"""Maximum frame rate; timestamps are those of the rendering."""
ENCODER_OPTIONS = {"preset": "veryfast", "crf": "20"}
"""Options of libx264: encoding must keep up with rendering."""


class ViewerVideo:
    """An open video; each frame has the time at which it was rendered. Raises RemiError where it cannot be written."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        try:
            path.open("wb").close()  # PyAV's error would not name the path
        except OSError as error:
            raise RemiError(f"Cannot write {path}: {error.strerror}") from None
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream("libx264", rate=VIDEO_FPS, options=ENCODER_OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        self._path, self._stream = path, stream
        self._pts = -1
        self.frames = 0

    def add(self, image: np.ndarray, at: float) -> None:
        """Add an image (h, w, 3) uint8 RGB. at: seconds from the start."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        # The muxer requires strictly increasing timestamps.
        self._pts = max(self._pts + 1, round(at * TICKS_PER_S))
        frame.pts, frame.time_base = self._pts, Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Finish the file; remove it if it has no frame."""
        if self.frames:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if not self.frames:
            self._path.unlink(missing_ok=True)


# Subscriber of a daemon's bus: the newest bodies of the selected camera, their rate and latency.


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


# Live view of a daemon with aitviewer: in a window, or rendered offscreen to a video.


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
        from remi_stream.sinks.aitviewer.window import AitviewerWindow
    except ImportError as error:
        raise RemiError(f"aitviewer cannot be imported: {error}. Reinstall it: {INSTALL_HINT}") from None
    room = AitviewerWindow(f"remi-stream {daemon}", size, window=window, keys=KEY_HELP)
    show = BodySubscriber(daemon)
    show.receive(FIRST_MESSAGE_TIMEOUT_S)
    with contextlib.closing(show), contextlib.closing(room):
        yield LiveViewer(show, room, tell)
