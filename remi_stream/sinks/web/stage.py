"""The web viewer stage: serves the newest bus messages to browsers."""

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
    """The web viewer. Nearly free of cost without a client."""

    def __init__(self, config: Config, invitation: Invitation) -> None:
        super().__init__()
        self._config, self._link = config, invitation

    def open(self) -> None:
        """Start the server. Raises RemiError when the port is in use."""
        host, port = self._link.host, self._link.port
        self._proxy = Gate(host, port, Admission(self._link.token, port))
        with _without_output():
            self._server = PrivateServer("remi-stream")
        self._viewer = Show(self._server, self._config)
        self._proxy.start(self._server.address)
        self._link.publish()

    def step(self, message: Bodies | Frame | CameraFacts | Health) -> None:
        """Keep a message for the next redraw."""
        self._viewer.take(message, time.monotonic())

    def turn(self, now: float) -> None:
        """Draw the newest messages and update the subscribed topics. now: monotonic s."""
        self._viewer.draw(now)
        self.hears = self._viewer.topics

    def close(self) -> None:
        """Close all connections and stop the server."""
        self._link.withdraw()
        self._proxy.stop()
        self._viewer.close()
        with _without_output():
            self._server.stop()


def make(order: Order) -> WebStage:
    """Create the web viewer stage from its StageSpec."""
    return WebStage(order.config, Invitation(order.config, Path(order.folder)))


def _without_output() -> contextlib.redirect_stdout[io.StringIO]:
    """Discard what viser prints when it starts and stops."""
    return contextlib.redirect_stdout(io.StringIO())
