"""The Prometheus exporter: metrics of all bus messages on /metrics, liveness on /healthz, readiness on /readyz."""

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
"""Content type of Prometheus' text exposition format."""


class ExporterStage(Sink):
    """Counts every message and serves the metrics over HTTP."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._registry = Figures()
        self._counters = Tally(config, self._registry)
        self._gpus = Gpus()
        # Else a scrape could see a message half counted, and captured = published + dropped + in flight would not hold.
        self._lock = threading.Lock()
        self._server: PageServer | None = None

    def open(self) -> None:
        """Start the HTTP server. Raises RemiError when the port is in use."""
        self._pipeline_health = Vitals(time.monotonic())
        pages = {"/metrics": self._scrape, "/healthz": self._health, "/readyz": self._ready}
        self._server = PageServer(self._config.port(METRICS), pages, self._config.metrics_bind or LOOPBACK)
        self._gpus.open(self._registry)
        self._server.start()

    def step(self, message: Bodies | CameraFacts | Health) -> None:
        """Count a message."""
        now = time.monotonic()
        with self._lock:
            self._counters.take(message, now)
            self._pipeline_health.take(message, now)

    def close(self) -> None:
        """Stop the HTTP server, if it was started."""
        if self._server:
            self._server.stop()
        self._gpus.close()

    def _scrape(self) -> Page:
        with self._lock:
            self._gpus.tell(self._registry)
            self._counters.tell_time(time.monotonic())
            return Page(self._registry.text(), kind=TEXT_FORMAT)

    def _health(self) -> Page:
        with self._lock:
            error, stages = self._pipeline_health.illness(time.monotonic()), self._pipeline_health.stages
        answer = {"status": "failed" if error else "ok", "reason": error, "stages": stages}
        return Page(json.dumps(answer).encode() + b"\n", 503 if error else 200, "application/json")

    def _ready(self) -> Page:
        with self._lock:
            reason = self._pipeline_health.idleness(time.monotonic())
        return Page(f"{reason or 'ready'}\n".encode(), 503 if reason else 200)


def make(order: Order) -> ExporterStage:
    """Create the exporter stage from its StageSpec."""
    return ExporterStage(order.config)
