"""Live view of a daemon with aitviewer: in a window, or rendered offscreen to a video."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command
from remi_stream.paths import ffmpeg_url
from remi_stream.render.colours import Rgb, track_colour
from remi_stream.sinks.aitviewer.meshes import PersonMesh
from remi_stream.sinks.aitviewer.subscriber import BodySubscriber
from remi_stream.sinks.aitviewer.viewpoint import ViewDirection, Viewpoint, fit_viewpoint, interpolate_viewpoint
from remi_stream.transport.address import DaemonAddress

ALTERNATIVE = "Render a video with --render FILE.mp4, or use a browser: remi-stream view"
QT_PROBE = "from PyQt6.QtWidgets import QApplication; QApplication([])"


def install_hint() -> str:
    """How to install aitviewer."""
    return f"{install_command('aitviewer')} (Python 3.10 or 3.11, best in a venv of its own: it installs another OpenCV)"


def require_aitviewer() -> None:
    """Raise RemiError when aitviewer is not installed."""
    if importlib.util.find_spec("aitviewer") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        raise RemiError(f"aitviewer is not installed here (Python {version}). Install it: {install_hint()}")


def require_screen() -> None:
    """Raise RemiError when no window can be opened. Tried in a subprocess, since Qt aborts the process that fails."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RemiError(f"Cannot open a window: there is no screen here. {ALTERNATIVE}")
    probe = subprocess.run([sys.executable, "-c", QT_PROBE], capture_output=True, text=True)
    if probe.returncode:
        lines = [line for line in probe.stderr.splitlines() if line.strip()]
        raise RemiError(f"Cannot open a window: {lines[0].strip() if lines else 'Qt does not start'}. {ALTERNATIVE}")


TICKS_PER_S = 90_000
"""Time base of MPEG timestamps."""
VIDEO_FPS = 30
"""Maximum frame rate; timestamps are those of the rendering."""
ENCODER_OPTIONS = {"preset": "veryfast", "crf": "20"}
"""Options of libx264: encoding must keep up with rendering."""


class ViewerVideo:
    """A video of what the viewer renders: H.264 in MP4, each frame with the time at which it was rendered.

    Raises RemiError where it cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        try:
            path.open("wb").close()  # PyAV's error would not name the path
        except OSError as error:
            raise RemiError(f"Cannot write {path}: {error.strerror}") from None
        self._container = av.open(ffmpeg_url(path), "w", format="mp4", options={"movflags": "faststart"})
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


Report = Callable[[str], None]
"""Prints a line to the user."""
Size = tuple[int, int]
PanelLine = tuple[str, Rgb | None]
"""A line of the panel with the colour of its mark."""

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


class ViewerWindow(Protocol):
    """What a viewer draws into: AitviewerWindow, which only a process with aitviewer can import."""

    @property
    def is_closed(self) -> bool:
        """Whether the window was closed."""

    @property
    def aspect(self) -> float:
        """Width of the window over its height."""

    def pressed_keys(self) -> list[str]:
        """Our keys that were pressed since the last call."""

    def look_from(self, viewpoint: Viewpoint) -> None:
        """Set the camera."""

    def show_meshes(self, meshes: list[PersonMesh]) -> None:
        """Show exactly these people."""

    def draw(self, title: str, lines: list[PanelLine]) -> None:
        """Draw a frame. lines: of the panel."""

    def image(self) -> np.ndarray:
        """The frame that was drawn offscreen: (h, w, 3) uint8 RGB."""


class LiveViewer:
    """Draws the newest people and a status panel. report: gets a line when the daemon or camera goes or comes back."""

    def __init__(self, subscriber: BodySubscriber, window: ViewerWindow, report: Report) -> None:
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
        self.window.show_meshes(meshes)
        rate = self._problem or self._rate(len(meshes))
        self.window.draw(f"remi-stream {self.subscriber.daemon}: {rate}", self._lines(rate, meshes))

    def handle_keys(self, now: float) -> bool:
        """Handle the keys; return False to quit."""
        for key in self.window.pressed_keys():
            if key == "q":
                return False
            if key in VIEW_KEYS:
                self._view = VIEW_KEYS[key]
            elif key == "n":
                self.subscriber.select_next_camera(now)
            elif key == "space":
                self.subscriber.is_paused = not self.subscriber.is_paused
        return not self.window.is_closed

    def _aim(self, people: list[np.ndarray], share: float) -> None:
        """Point the camera at people: at once after a key, else by a share of the way."""
        if people and (self._view or share):
            wanted = fit_viewpoint(people, self._view or "front", self.window.aspect)
            self._viewpoint = (
                wanted if self._view or self._viewpoint is None else interpolate_viewpoint(self._viewpoint, wanted, share)
            )
            self._view = None
            self.window.look_from(self._viewpoint)

    def _report_state(self, now: float) -> None:
        self._problem = self.subscriber.problem(now)
        line = self._problem or f"showing camera {self.subscriber.camera}"
        state = line.partition(" since ")[0]
        if state != self._reported:  # not each second of an outage
            self._reported = state
            self._report_line(line)

    def _rate(self, people: int) -> str:
        """The rate and age of the selected camera's bodies as drawn."""
        latest = self.subscriber.latest_rate()
        if latest is None or not latest.fps:
            return "less than one body a second drawn" if people else "no one in view"
        return f"{latest.fps:.0f} bodies/s drawn, {latest.p50_ms:.0f} ms old (95 %: {latest.p95_ms:.0f} ms)"

    def _lines(self, rate: str, meshes: list[PersonMesh]) -> list[PanelLine]:
        """The lines of the panel."""
        camera = f"{self.subscriber.camera or 'no camera'}, filter {self.subscriber.filter_name()}"
        lines: list[PanelLine] = [(camera, None), (rate, None)]
        if self.subscriber.is_paused:
            lines.append(("paused: SPACE continues", None))
        return lines + [(f"person {mesh.track_id}", track_colour(mesh.track_id)) for mesh in meshes]


def show_window(daemon: DaemonAddress, size: Size, duration_s: float | None, report: Report) -> None:
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


def render_video(daemon: DaemonAddress, path: Path, size: Size, duration_s: float | None, report: Report) -> int:
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
def _live_viewer(daemon: DaemonAddress, size: Size, report: Report, *, window: bool) -> Iterator[LiveViewer]:
    try:
        from remi_stream.sinks.aitviewer.window import AitviewerWindow
    except ImportError as error:
        raise RemiError(f"aitviewer cannot be imported: {error}. Reinstall it: {install_hint()}") from None
    drawn = AitviewerWindow(f"remi-stream {daemon.name}", size, window=window, keys=KEY_HELP)
    subscriber = BodySubscriber(daemon)
    subscriber.receive(FIRST_MESSAGE_TIMEOUT_S)
    with contextlib.closing(subscriber), contextlib.closing(drawn):
        yield LiveViewer(subscriber, drawn, report)
