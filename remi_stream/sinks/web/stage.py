"""The web viewer stage: serves the newest bus messages to browsers."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from pathlib import Path

import numpy as np
import viser

from remi_stream.config import Config
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.render import skeleton
from remi_stream.render.floor import FloorEstimator
from remi_stream.sinks.live_view import (
    CameraIncidents,
    CameraPresence,
    HopLatencies,
    PreviewPairs,
    ViewedCamera,
    count_text,
    duration_text,
    greyed_image,
    placeholder_image,
)
from remi_stream.sinks.page_server import open_server_socket
from remi_stream.sinks.web import html
from remi_stream.sinks.web.access import AccessRules, ViewerLink
from remi_stream.sinks.web.gate import ViewerServer
from remi_stream.sinks.web.panel import ClientThemes, ViewOptions, WebPanel
from remi_stream.sinks.web.picture import CameraPicture, panel_image
from remi_stream.sinks.web.scene import CAMERA_NODE, SceneBackdrop, ScenePeople
from remi_stream.sinks.web.status_tabs import CameraRow, CameraSummary, person_row
from remi_stream.sinks.web.task_queue import TaskQueue
from remi_stream.stage import Sink, StageSpec
from remi_stream.transport.address import DaemonAddress

STATUS_INTERVAL_S = 0.25
"""Update interval of the panel's texts, s."""
OLD_IMAGE_S = 3.0
"""An image that is older is shown as such, s: a camera can be there while no engine takes its frames."""


class WebCamera(ViewedCamera):
    """One camera of the pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.floor, self.pairs = FloorEstimator(), PreviewPairs()
        self.hops, self.incidents = HopLatencies(), CameraIncidents()
        self.presence = CameraPresence(time.monotonic())
        self.plain_image: np.ndarray | None = None
        """The last preview."""
        self.image: np.ndarray | None = None
        """The last preview with its overlay."""
        self.awaited_since = float("inf")
        """When its last image came, or since when its images are requested; monotonic s."""

    def note(self, now: float) -> str:
        """Why its image is not of now; "" if it is. now: monotonic s."""
        waited_s = now - self.awaited_since
        if away := self.presence.away_text(now):
            return away
        if self.facts is not None and self.facts.state == "ended":
            return "ended"
        if self.is_paused or waited_s < OLD_IMAGE_S:
            return ""
        return f"no new image since {duration_text(waited_s)}" if self.image is not None else "no image yet"


class WebViewer:
    """Draws one camera's people, live image and status. Without a connected client, messages are kept and nothing is drawn."""

    def __init__(self, server: viser.ViserServer, config: Config, daemon: DaemonAddress) -> None:
        self._server = server
        self._cameras = {camera.name: WebCamera() for camera in config.cameras}
        self._health: dict[str, Health] = {}
        self._tasks = TaskQueue(daemon)
        self._backdrop, self._people = SceneBackdrop(server), ScenePeople(server.scene, CAMERA_NODE)
        self._panel = WebPanel(server, config, self._tasks)
        self._chosen = ""
        self._status_at = float("-inf")
        self._notes: list[tuple[str, str]] = []
        """Name and note of each camera in the panel's image."""
        themes = ClientThemes()
        self._panel.view_tab.on_button(self._backdrop.recentre, themes.toggle)
        server.on_client_connect(self._backdrop.recentre)
        server.on_client_connect(themes.set_initial)

    @property
    def topics(self) -> list[str]:
        """The topics to subscribe to: previews only of the cameras whose images are shown to a client."""
        options = self._panel.view_tab.options
        shown = bool(self._server.get_clients()) and options.preview
        cameras = [] if not shown else list(self._cameras) if options.all_cameras else [self._panel.camera]
        return ["bodies/", "camera/", "health/", *(f"preview/{camera}" for camera in cameras)]

    def add(self, message: Bodies | Frame | CameraFacts | Health, now: float) -> None:
        """Keep a message that arrived now."""
        if isinstance(message, Health):
            self._health[message.stage] = message
            return
        camera = self._cameras.get(message.camera)
        if camera is None:
            return
        if isinstance(message, CameraFacts):
            camera.facts = message
            camera.presence.update(message, now)
            camera.incidents.update(message)
            return
        camera.presence.mark_image(now)
        camera.pairs.add(message)
        if isinstance(message, Bodies):
            camera.newest = message
            camera.rates.add(message.captured_at, now)
            camera.hops.add(message, now)
            self._panel.measure_tab.add(message, now)

    def draw(self, now: float) -> None:
        """Draw the newest messages. now: monotonic s."""
        self._tasks.check_thread()
        sampled = [camera.rates.sample_if_due(now) for camera in self._cameras.values()]
        self._panel.measure_tab.tick(self._panel.camera, now)
        if not self._server.get_clients():
            return
        camera, options = self._selected_camera(), self._panel.view_tab.options
        with self._server.atomic():  # a client must not see a body with half of its bones moved
            self._draw_people(camera, options, now)
        self._draw_previews(camera, options, now)
        if any(sampled):
            self._panel.rate_plots.show(camera.rates, camera.hops.medians(now))
        if now - self._status_at >= STATUS_INTERVAL_S:
            self._status_at = now
            self._show_status(camera, now)

    def close(self) -> None:
        """Stop the task queue."""
        self._tasks.close()

    def _selected_camera(self) -> WebCamera:
        """The selected camera; after a change, remove the people and image of the previous one."""
        if self._panel.camera != self._chosen:
            self._chosen = self._panel.camera
            self._cameras[self._chosen].repeat()
            self._people.clear()
            self._backdrop.hide_preview()
        return self._cameras[self._chosen]

    def _draw_people(self, camera: WebCamera, options: ViewOptions, now: float) -> None:
        bodies = camera.next_bodies(now)
        if bodies is not None:
            self._people.update(
                bodies,
                camera.floor,
                now,
                skin=options.body,
                bones=options.bones,
                by_confidence=options.by_confidence,
                trail=options.trails,
            )
            self._backdrop.place_camera(camera.floor)
            self._backdrop.remember_people(bodies, camera.floor)
        if camera.is_paused and camera.newest is not None:
            self._people.keep_visible(camera.newest, now)
        self._people.remove_stale(now)

    def _draw_previews(self, camera: WebCamera, options: ViewOptions, now: float) -> None:
        shown = self._previewed(options)
        for name, each in self._cameras.items():
            each.awaited_since = min(each.awaited_since, now) if name in shown else float("inf")
        if not options.preview:
            self._backdrop.hide_preview()
            return
        captions = {name: self._draw_preview(each, each is camera, options, now) for name, each in shown.items()}
        notes = [(name, each.note(now)) for name, each in shown.items()]
        if not any(captions.values()) and notes == self._notes:
            return
        self._notes = notes
        several = len(shown) > 1
        pictures = [
            CameraPicture(each.image if each.image is not None else placeholder_image(), name if several else "", note)
            for each, (name, note) in zip(shown.values(), notes)
        ]
        self._panel.show_image(panel_image(pictures), _caption(notes, captions))
        self._grey_frustum(camera, dict(notes)[self._chosen])

    def _grey_frustum(self, camera: WebCamera, note: str) -> None:
        """Show the selected camera's last image in the scene without colours, while there is a reason to."""
        if note and camera.plain_image is not None and camera.newest is not None:
            self._backdrop.show_preview(greyed_image(camera.plain_image), camera.newest)

    def _previewed(self, options: ViewOptions) -> dict[str, WebCamera]:
        """The cameras whose images are shown."""
        if not options.preview:
            return {}
        return self._cameras if options.all_cameras else {self._chosen: self._cameras[self._chosen]}

    def _draw_preview(self, camera: WebCamera, selected: bool, options: ViewOptions, now: float) -> str:
        """Draw a camera's next preview; return its caption, or "" when there is none."""
        pair = camera.pairs.pop_newest(now)
        if pair is None:
            return ""
        preview, bodies = pair
        camera.awaited_since = now
        camera.plain_image = skeleton.decode_preview(preview)
        camera.image = camera.plain_image.copy()
        if selected and camera.newest is not None:
            self._backdrop.show_preview(camera.plain_image, camera.newest)
        if bodies is not None:
            skeleton.draw_preview_skeletons(camera.image, preview, bodies, by_confidence=options.by_confidence)
        return html.preview_caption(preview, bodies)

    def _show_status(self, camera: WebCamera, now: float) -> None:
        engine = camera.newest.engine if camera.newest else ""
        rows = [
            CameraRow(name, each.presence.text(now), each.presence.is_away(now), each.facts)
            for name, each in self._cameras.items()
        ]
        none = camera.presence.text(now) if camera.presence.is_away(now) else "no one in view"
        summaries = [CameraSummary(each.facts, each.incidents) for each in self._cameras.values() if each.facts is not None]
        self._panel.show_people([person_row(person) for person in self._people.people], none)
        self._panel.show_state(engine, rows, summaries, self._health)
        self._panel.view_tab.show()
        self._panel.filter_tab.show(camera.facts)
        self._panel.playback_controls.show(camera.facts)
        self._panel.measure_tab.show(now)


def _caption(notes: list[tuple[str, str]], captions: dict[str, str]) -> str:
    """The text over the panel's image: of one camera its frame, or why there is no new one; of several how many are away."""
    if len(notes) == 1:
        name, note = notes[0]
        return f"{name}: {note}" if note else captions[name] or name
    away = sum(bool(note) for _, note in notes)
    return count_text(len(notes), "camera") + (f", {away} without a new image" if away else "")


class WebStage(Sink):
    """The web viewer. Without a client it draws nothing and costs 0.5 ms of CPU time per frame (docs/use/viewer.md)."""

    def __init__(self, config: Config, link: ViewerLink, daemon: DaemonAddress) -> None:
        super().__init__()
        self._config, self._link, self._daemon = config, link, daemon

    def open(self) -> None:
        """Start the server. Raises RemiError when the port is in use."""
        host, port = self._link.host, self._link.port
        listener = open_server_socket("the viewer", host, port)
        # viser 1.1 warns if a browser leaves between two calls for it, which is no fault of anyone
        warnings.filterwarnings("ignore", message="Queued a .* on a closed connection", category=UserWarning)
        rules = AccessRules(self._link.token, port, self._link.names)
        with _without_output():
            self._server = ViewerServer(f"remi-stream - {self._config.name}", listener, rules, self.counts)
        self._viewer = WebViewer(self._server, self._config, self._daemon)
        self._server.open_port()
        self._link.write()

    def step(self, message: Bodies | Frame | CameraFacts | Health) -> None:
        """Keep a message for the next redraw."""
        self._viewer.add(message, time.monotonic())

    def tick(self, now: float) -> None:
        """Draw the newest messages and update the subscribed topics. now: monotonic s."""
        self._viewer.draw(now)
        self.topics = self._viewer.topics

    def close(self) -> None:
        """Close all connections and stop the server."""
        self._link.remove()
        with _without_output():
            self._server.stop()
        self._viewer.close()


def make_web_stage(spec: StageSpec) -> WebStage:
    """Create the web viewer stage from its StageSpec."""
    return WebStage(spec.config, ViewerLink(spec.config, Path(spec.run_folder)), spec.daemon)


def _without_output() -> contextlib.redirect_stdout[io.StringIO]:
    """Discard what viser prints when it starts and stops."""
    return contextlib.redirect_stdout(io.StringIO())
