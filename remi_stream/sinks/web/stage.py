"""The web viewer's stage: keeps the newest of what comes over the bus, and shows it to whoever looks."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

from remi_stream.config import Config
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.order import Order
from remi_stream.sinks.sink import Sink
from remi_stream.sinks.web.admission import Admission
from remi_stream.sinks.web.gate import Gate
from remi_stream.sinks.web.invitation import Invitation
from remi_stream.sinks.web.private import PrivateServer
from remi_stream.sinks.web.show import Show


class WebStage(Sink):
    """A viewer. Costs next to nothing while nobody looks."""

    def __init__(self, config: Config, invitation: Invitation) -> None:
        super().__init__()
        self._config, self._invitation = config, invitation

    def open(self) -> None:
        """Take the port and answer on it. Raises RemiError when it is in use."""
        host, port = self._invitation.host, self._invitation.port
        self._gate = Gate(host, port, Admission(self._invitation.token, port))
        with _hushed():
            self._server = PrivateServer("remi-stream")
        self._show = Show(self._server, self._config)
        self._gate.start(self._server.address)
        self._invitation.publish()

    def step(self, message: Bodies | Frame | CameraFacts | Health) -> None:
        """Keep a message."""
        self._show.take(message, time.monotonic())

    def turn(self, now: float) -> None:
        """Draw the newest of what has come, and say what is wanted next."""
        self._show.draw(now)
        self.hears = self._show.topics

    def close(self) -> None:
        """Show everybody out."""
        self._invitation.withdraw()
        self._gate.stop()
        self._show.close()
        with _hushed():
            self._server.stop()


def make(order: Order) -> WebStage:
    """Make the stage for an order."""
    return WebStage(order.config, Invitation(order.config, Path(order.folder)))


def _hushed() -> contextlib.redirect_stdout[io.StringIO]:
    """Viser prints when it starts and stops."""
    return contextlib.redirect_stdout(io.StringIO())
