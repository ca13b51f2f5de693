"""The web viewer stage: serves the newest bus messages to browsers."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

from remi_stream.config import Config
from remi_stream.messages import Bodies, CameraFacts, Frame, Health
from remi_stream.order import StageSpec
from remi_stream.sinks.sink import Sink
from remi_stream.sinks.web.admission import AccessRules
from remi_stream.sinks.web.gate import AccessProxy
from remi_stream.sinks.web.invitation import ViewerLink
from remi_stream.sinks.web.private import PrivateServer
from remi_stream.sinks.web.show import WebViewer


class WebStage(Sink):
    """The web viewer. Nearly free of cost without a client."""

    def __init__(self, config: Config, link: ViewerLink) -> None:
        super().__init__()
        self._config, self._link = config, link

    def open(self) -> None:
        """Start the server. Raises RemiError when the port is in use."""
        host, port = self._link.host, self._link.port
        self._proxy = AccessProxy(host, port, AccessRules(self._link.token, port))
        with _without_output():
            self._server = PrivateServer("remi-stream")
        self._viewer = WebViewer(self._server, self._config)
        self._proxy.start(self._server.address)
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
        self._proxy.stop()
        self._viewer.close()
        with _without_output():
            self._server.stop()


def make_web_stage(spec: StageSpec) -> WebStage:
    """Create the web viewer stage from its StageSpec."""
    return WebStage(spec.config, ViewerLink(spec.config, Path(spec.run_folder)))


def _without_output() -> contextlib.redirect_stdout[io.StringIO]:
    """Discard what viser prints when it starts and stops."""
    return contextlib.redirect_stdout(io.StringIO())
