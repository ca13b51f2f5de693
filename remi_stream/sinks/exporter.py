"""The exporter: what goes over the bus, as Prometheus metrics, and whether the pipeline is healthy and ready, over HTTP."""

from __future__ import annotations

import json
import threading
import time

from remi_stream.config import METRICS, Config
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.order import Order
from remi_stream.sinks.figures import Figures
from remi_stream.sinks.gpu import Gpus
from remi_stream.sinks.pages import LOOPBACK, Page, PageServer
from remi_stream.sinks.sink import Sink
from remi_stream.sinks.tally import Tally
from remi_stream.sinks.vitals import Vitals

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class ExporterStage(Sink):
    """Counts every message. The lock keeps a scrape from seeing one half counted: the books balance in every scrape."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._figures = Figures()
        self._tally = Tally(config, self._figures)
        self._gpus = Gpus()
        self._lock = threading.Lock()
        self._server: PageServer | None = None

    def open(self) -> None:
        """Take the port and answer on it. Raises RemiError when it is in use."""
        self._vitals = Vitals(time.monotonic())
        pages = {"/metrics": self._scrape, "/healthz": self._health, "/readyz": self._ready}
        self._server = PageServer(self._config.port(METRICS), pages, self._config.metrics_bind or LOOPBACK)
        self._gpus.open(self._figures)
        self._server.start()

    def step(self, message: Bodies | CameraFacts | Health) -> None:
        """Count a message."""
        now = time.monotonic()
        with self._lock:
            self._tally.take(message, now)
            self._vitals.take(message, now)

    def close(self) -> None:
        """Answer no more; there is nothing to do when the port was not free."""
        if self._server:
            self._server.stop()
        self._gpus.close()

    def _scrape(self) -> Page:
        with self._lock:
            self._gpus.tell(self._figures)
            self._tally.tell_time(time.monotonic())
            return Page(self._figures.text(), kind=TEXT_FORMAT)

    def _health(self) -> Page:
        with self._lock:
            illness, stages = self._vitals.illness(time.monotonic()), self._vitals.stages
        answer = {"status": "failed" if illness else "ok", "reason": illness, "stages": stages}
        return Page(json.dumps(answer).encode() + b"\n", 503 if illness else 200, "application/json")

    def _ready(self) -> Page:
        with self._lock:
            idleness = self._vitals.idleness(time.monotonic())
        return Page(f"{idleness or 'ready'}\n".encode(), 503 if idleness else 200)


def make(order: Order) -> ExporterStage:
    """Make the stage for an order."""
    return ExporterStage(order.config)
