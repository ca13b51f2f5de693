"""The display stage: draws the newest preview of every camera in a window and handles its keys."""

from __future__ import annotations

import logging
import time

import msgspec
import numpy as np

from remi_stream.config import CONTROL, Config
from remi_stream.errors import RemiError
from remi_stream.link import ask_control
from remi_stream.measure.pose_program import CONDITIONS
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.order import Order
from remi_stream.sinks.display import mesh
from remi_stream.sinks.display.measuring import Measuring
from remi_stream.sinks.display.window import Window
from remi_stream.sinks.sink import Sink
from remi_stream.sinks.views import overlay
from remi_stream.sinks.views.pairs import Pairs
from remi_stream.sinks.views.rates import Rates
from remi_stream.sinks.views.wall import empty, side_by_side

ASK_S = 0.3
"""Timeout of a control request, s: short, as the window does not redraw meanwhile."""
RENEW_S = 0.5
"""Redraw interval without new images, s, so that the text stays current."""
CONDITION_KEYS = tuple(str(number) for number, _ in enumerate(CONDITIONS, start=1))

log = logging.getLogger("remi_stream")


class Display(Sink):
    """The window. Keys: r measures, 1 to 6 choose the condition, v toggles recording, m toggles mesh and skeleton, q quits."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        names = [camera.name for camera in config.cameras]
        self._pairs = {name: Pairs() for name in names}
        self._rates = {name: Rates() for name in names}
        self._images = {name: empty() for name in names}
        self._states = dict.fromkeys(names, "starting")
        self._measuring = Measuring(config)
        self._as_mesh = True
        self._recording = ""
        self._shown_at = 0.0

    def open(self) -> None:
        """Open the window. Raises RemiError without pygame or a screen."""
        self._window = Window(f"remi-stream {self._config.name}")

    def step(self, message: Bodies | Frame | CameraFacts | Health) -> None:
        """Keep a message for the next redraw."""
        if isinstance(message, (Bodies, Frame)):
            self._pairs[message.camera].take(message)
            if isinstance(message, Bodies):
                self._rates[message.camera].take(message.captured_at, time.monotonic())
                self._measuring.take(message, time.monotonic())
        elif isinstance(message, CameraFacts):
            self._states[message.camera] = message.state
        elif message.stage == "recorder":
            self._recording = message.facts.get("recording", self._recording)

    def turn(self, now: float) -> None:
        """Handle the keys and redraw. now: monotonic s."""
        for key in self._window.pressed():
            self._handle_key(key, now)
        drawn = [self._draw(camera, now) for camera in self._pairs]
        if any(drawn) or now - self._shown_at > RENEW_S:
            self._shown_at = now
            self._window.show(side_by_side(list(self._images.values())), self._text(), self._measuring.news(now))

    def close(self) -> None:
        """Close the window."""
        self._measuring.close()
        self._window.close()

    def _draw(self, camera: str, now: float) -> bool:
        """Draw the camera's newest preview; return whether there was a new one."""
        self._rates[camera].step(now)
        pair = self._pairs[camera].next(now)
        if pair is None:
            return False
        preview, bodies = pair
        image = overlay.decode(preview)
        if bodies is not None:
            self._draw_people(image, preview, bodies)
        self._images[camera] = image
        self.counts["pictures"] += 1
        return True

    def _draw_people(self, image: np.ndarray, preview: Frame, bodies: Bodies) -> None:
        if self._as_mesh:
            mesh.draw(image, preview, bodies)
            # People without an SMPL pose have no mesh and get their skeleton.
            bodies = msgspec.structs.replace(bodies, people=[each for each in bodies.people if not each.smpl])
        overlay.draw(image, preview, bodies)

    def _handle_key(self, key: str, now: float) -> None:
        if key == "q":
            log.info("the window was closed")
            self.over = True
        elif key == "m":
            self._as_mesh = not self._as_mesh
        elif key == "r":
            self._measuring.start(now)
        elif key in CONDITION_KEYS:
            self._measuring.choose(int(key))
        elif key == "v" and self._config.record is not None:
            self._switch_recording()

    def _switch_recording(self) -> None:
        try:
            ask_control(self._config.port(CONTROL), {"ask": "record", "on": self._recording in ("off", "failed")}, ASK_S)
        except RemiError as error:
            log.warning("recording not changed: %s", error)

    def _text(self) -> list[str]:
        recording = [f"V: recording {self._recording}".rstrip()] if self._config.record else []
        measuring = ["R: measure", f"1-{len(CONDITIONS)}: {self._measuring.condition}"]
        drawing = "M: skeleton" if self._as_mesh else "M: mesh"
        return [*(self._camera_text(camera) for camera in self._states), *measuring, *recording, drawing, "Q: quit"]

    def _camera_text(self, camera: str) -> str:
        moment = self._rates[camera].moments[-1]
        if self._states[camera] != "live" or not moment.fps:
            return f"{camera} {self._states[camera]}"
        return f"{camera} {moment.fps:.0f} bodies/s {moment.p50_ms:.0f} ms"


def make(order: Order) -> Display:
    """Create the display stage from its StageSpec."""
    return Display(order.config)
