"""The display stage: draws the newest preview of every camera in a window and handles its keys."""

from __future__ import annotations

import logging
import time

import msgspec
import numpy as np

from remi_stream.config import CONTROL_SERVICE, Config
from remi_stream.errors import RemiError
from remi_stream.link import send_control_request
from remi_stream.measure.pose_program import CONDITIONS
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.order import StageSpec
from remi_stream.sinks.display import mesh
from remi_stream.sinks.display.measuring import DisplayMeasurement
from remi_stream.sinks.display.window import DisplayWindow
from remi_stream.sinks.sink import Sink
from remi_stream.sinks.views import overlay
from remi_stream.sinks.views.pairs import PreviewPairs
from remi_stream.sinks.views.rates import RateHistory
from remi_stream.sinks.views.wall import placeholder_image, tile_images

CONTROL_TIMEOUT_S = 0.3
"""Timeout of a control request, s: short, as the window does not redraw meanwhile."""
REDRAW_INTERVAL_S = 0.5
"""Redraw interval without new images, s, so that the text stays current."""
CONDITION_KEYS = tuple(str(number) for number, _ in enumerate(CONDITIONS, start=1))

log = logging.getLogger("remi_stream")


class DisplayStage(Sink):
    """The window. Keys: r measures, 1 to 6 choose the condition, v toggles recording, m toggles mesh and skeleton, q quits."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        names = [camera.name for camera in config.cameras]
        self._pairs = {name: PreviewPairs() for name in names}
        self._rates = {name: RateHistory() for name in names}
        self._images = {name: placeholder_image() for name in names}
        self._states = dict.fromkeys(names, "starting")
        self._measuring = DisplayMeasurement(config)
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
            if isinstance(message, Bodies):
                self._rates[message.camera].add(message.captured_at, time.monotonic())
                self._measuring.add(message, time.monotonic())
        elif isinstance(message, CameraFacts):
            self._states[message.camera] = message.state
        elif message.stage == "recorder":
            self._recording = message.facts.get("recording", self._recording)

    def tick(self, now: float) -> None:
        """Handle the keys and redraw. now: monotonic s."""
        for key in self._window.pressed_keys():
            self._handle_key(key, now)
        drawn = [self._draw(camera, now) for camera in self._pairs]
        if any(drawn) or now - self._shown_at > REDRAW_INTERVAL_S:
            self._shown_at = now
            self._window.show(tile_images(list(self._images.values())), self._text(), self._measuring.status_text(now))

    def close(self) -> None:
        """Close the window."""
        self._measuring.close()
        self._window.close()

    def _draw(self, camera: str, now: float) -> bool:
        """Draw the camera's newest preview; return whether there was a new one."""
        self._rates[camera].sample_if_due(now)
        pair = self._pairs[camera].pop_newest(now)
        if pair is None:
            return False
        preview, bodies = pair
        image = overlay.decode_preview(preview)
        if bodies is not None:
            self._draw_people(image, preview, bodies)
        self._images[camera] = image
        self.counts["pictures"] += 1
        return True

    def _draw_people(self, image: np.ndarray, preview: Frame, bodies: Bodies) -> None:
        if self._as_mesh:
            mesh.draw_meshes(image, preview, bodies)
            # People without an SMPL pose have no mesh and get their skeleton.
            bodies = msgspec.structs.replace(bodies, people=[each for each in bodies.people if not each.smpl])
        overlay.draw_preview_skeletons(image, preview, bodies)

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
                self._config.port(CONTROL_SERVICE),
                {"ask": "record", "on": self._recording in ("off", "failed")},
                CONTROL_TIMEOUT_S,
            )
        except RemiError as error:
            log.warning("recording not changed: %s", error)

    def _text(self) -> list[str]:
        recording = [f"V: recording {self._recording}".rstrip()] if self._config.record else []
        measuring = ["R: measure", f"1-{len(CONDITIONS)}: {self._measuring.condition}"]
        drawing = "M: skeleton" if self._as_mesh else "M: mesh"
        return [*(self._camera_text(camera) for camera in self._states), *measuring, *recording, drawing, "Q: quit"]

    def _camera_text(self, camera: str) -> str:
        moment = self._rates[camera].samples[-1]
        if self._states[camera] != "live" or not moment.fps:
            return f"{camera} {self._states[camera]}"
        return f"{camera} {moment.fps:.0f} bodies/s {moment.p50_ms:.0f} ms"


def make_display_stage(spec: StageSpec) -> DisplayStage:
    """Create the display stage from its StageSpec."""
    return DisplayStage(spec.config)
