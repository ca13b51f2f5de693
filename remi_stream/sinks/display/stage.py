"""The display stage: draws the newest preview of every camera in a window and handles its keys."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from remi_stream.config import Config
from remi_stream.errors import RemiError
from remi_stream.measure.meters import CameraMeters
from remi_stream.measure.remi_metrics import CONDITIONS
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.render import mesh, skeleton
from remi_stream.sinks.display.window import DisplayWindow, TileLabel
from remi_stream.sinks.live_view import (
    CameraPresence,
    PreviewPairs,
    RateHistory,
    greyed_image,
    placeholder_image,
    tile_grid,
    tile_images,
)
from remi_stream.stage import Sink, StageSpec
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import send_control_request

STATUS_S = 5.0
"""Time that a status text is shown, s."""
CLOSE_TIMEOUT_S = 2.0
"""Time that a running measurement has to finish when the window closes, s."""

log = logging.getLogger("remi_stream")


class DisplayMeasurement:
    """The measurement key: writes a row of the last seconds for each camera, in a thread, as REMI's window does."""

    def __init__(self, config: Config, daemon: DaemonAddress) -> None:
        self.condition = CONDITIONS[0]
        """Label of the rows."""
        self._cameras = tuple(config.body_sources)
        self._folder = Path(config.measurements)
        self._meters = CameraMeters(config.body_sources, partial(send_control_request, daemon))
        self._thread: threading.Thread | None = None
        self._status, self._status_at = "", float("-inf")

    def add(self, bodies: Bodies, now: float) -> None:
        """Keep bodies for the next measurement. now: monotonic s."""
        self._meters.add(bodies, now)

    def choose_condition(self, number: int) -> None:
        """Choose a condition by its number, from 1."""
        self.condition = CONDITIONS[number - 1]

    def start(self, now: float) -> None:
        """Start a measurement of the last seconds, unless one is running. now: monotonic s."""
        if self._thread is None or not self._thread.is_alive():
            self._set_status("measuring ...", now)
            self._thread = threading.Thread(target=self._record, args=(self.condition, now), daemon=True)
            self._thread.start()

    def status_text(self, now: float) -> str:
        """The result of the last measurement, for some seconds; else "". now: monotonic s."""
        return self._status if now - self._status_at < STATUS_S else ""

    def close(self) -> None:
        """Wait for a running measurement."""
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _record(self, condition: str, now: float) -> None:
        written: list[Path] = []
        failures: list[str] = []
        for camera in self._cameras:
            try:
                written += self._meters.record(camera, condition, self._folder, now)
            except RemiError as error:
                failures.append(str(error))
        paths = ", ".join(dict.fromkeys(path.name for path in written))
        added = [f"{condition}: a row added in {self._folder} to {paths}."] if written else []
        status = " ".join([*added, *failures])
        log.info("%s", status)
        self._set_status(status, time.monotonic())

    def _set_status(self, status: str, now: float) -> None:
        self._status, self._status_at = status, now


CONTROL_TIMEOUT_S = 0.3
"""Timeout of a control request, s: short, as the window does not redraw meanwhile."""
REDRAW_INTERVAL_S = 0.5
"""Redraw interval without new images, s, so that the text stays current."""
CONDITION_KEYS = tuple(str(number) for number, _ in enumerate(CONDITIONS, start=1))


class DisplayStage(Sink):
    """The window. Keys: r measures, 1 to 6 choose the condition, v toggles recording, m toggles mesh and skeleton, q quits."""

    def __init__(self, config: Config, daemon: DaemonAddress) -> None:
        super().__init__()
        self._config, self._daemon = config, daemon
        names = [camera.name for camera in config.cameras]
        self._pairs = {name: PreviewPairs() for name in names}
        self._rates = {name: RateHistory() for name in names}
        self._images = {name: placeholder_image() for name in names}
        self._presence = {name: CameraPresence(time.monotonic()) for name in names}
        self._measuring = DisplayMeasurement(config, daemon)
        self._as_mesh = True
        self._recording = ""
        self._shown_at = 0.0

    def open(self) -> None:
        """Open the window. Raises RemiError without pygame or a screen."""
        self._window = DisplayWindow(f"remi-stream {self._config.name}")

    def step(self, message: Bodies | Frame | CameraFacts | Health) -> None:
        """Keep a message for the next redraw."""
        if isinstance(message, (Bodies, Frame)):
            self._pairs[message.camera].add(message)
            self._presence[message.camera].mark_image(time.monotonic())
            if isinstance(message, Bodies):
                self._rates[message.camera].add(message.captured_at, time.monotonic())
                self._measuring.add(message, time.monotonic())
        elif isinstance(message, CameraFacts):
            self._presence[message.camera].update(message, time.monotonic())
        elif message.stage == "recorder":
            self._recording = message.facts.get("recording", self._recording)

    def tick(self, now: float) -> None:
        """Handle the keys and redraw. now: monotonic s."""
        for key in self._window.pressed_keys():
            self._handle_key(key, now)
        drawn = [self._draw(camera, now) for camera in self._pairs]
        if any(drawn) or now - self._shown_at > REDRAW_INTERVAL_S:
            self._shown_at = now
            images = [self._shown_image(camera, now) for camera in self._images]
            self._window.show(tile_images(images), self._text(now), self._measuring.status_text(now), self._labels(images, now))

    def close(self) -> None:
        """Close the window."""
        self._measuring.close()
        self._window.close()

    def _shown_image(self, camera: str, now: float) -> np.ndarray:
        """The camera's last image, greyed while the camera is away."""
        image = self._images[camera]
        return greyed_image(image) if self._presence[camera].is_away(now) else image

    def _labels(self, images: list[np.ndarray], now: float) -> list[TileLabel]:
        """Over each image: what its camera is called, if there are several, and since when it is away."""
        grid, labels = tile_grid(images), []
        for number, (camera, presence) in enumerate(self._presence.items()):
            name = camera if len(images) > 1 else ""
            labels.append(TileLabel(*grid.corner(number), grid.width, grid.height, name, presence.away_text(now)))
        return labels

    def _draw(self, camera: str, now: float) -> bool:
        """Draw the camera's newest preview; return whether there was a new one."""
        self._rates[camera].sample_if_due(now)
        pair = self._pairs[camera].pop_newest(now)
        if pair is None:
            return False
        preview, bodies = pair
        image = skeleton.decode_preview(preview)
        if bodies is not None:
            self._draw_people(image, preview, bodies)
        self._images[camera] = image
        self.counts["images"] += 1
        return True

    def _draw_people(self, image: np.ndarray, preview: Frame, bodies: Bodies) -> None:
        if self._as_mesh:
            mesh.draw_preview_meshes(image, preview, bodies)
            # People without an SMPL pose have no mesh and get their skeleton.
            bodies = msgspec.structs.replace(bodies, people=[each for each in bodies.people if not each.smpl])
        skeleton.draw_preview_skeletons(image, preview, bodies)

    def _handle_key(self, key: str, now: float) -> None:
        if key == "q":
            log.info("the window was closed")
            self.is_finished = True
        elif key == "m":
            self._as_mesh = not self._as_mesh
        elif key == "r":
            self._measuring.start(now)
        elif key in CONDITION_KEYS:
            self._measuring.choose_condition(int(key))
        elif key == "v" and self._config.record is not None:
            self._switch_recording()

    def _switch_recording(self) -> None:
        try:
            send_control_request(
                self._daemon,
                {"ask": "record", "on": self._recording in ("off", "failed")},
                CONTROL_TIMEOUT_S,
            )
        except RemiError as error:
            log.warning("recording not changed: %s", error)

    def _text(self, now: float) -> list[str]:
        recording = [f"V: recording {self._recording}".rstrip()] if self._config.record else []
        measuring = ["R: measure", f"1-{len(CONDITIONS)}: {self._measuring.condition}"]
        drawing = "M: skeleton" if self._as_mesh else "M: mesh"
        return [*(self._camera_text(camera, now) for camera in self._presence), *measuring, *recording, drawing, "Q: quit"]

    def _camera_text(self, camera: str, now: float) -> str:
        latest, presence = self._rates[camera].samples[-1], self._presence[camera]
        if presence.is_away(now) or not latest.fps:
            return f"{camera}: {presence.text(now)}"
        return f"{camera} {latest.fps:.0f} bodies/s {latest.p50_ms:.0f} ms"


def make_display_stage(spec: StageSpec) -> DisplayStage:
    """Create the display stage from its StageSpec."""
    return DisplayStage(spec.config, spec.daemon)
