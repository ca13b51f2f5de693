"""The Prometheus exporter: metrics of all bus messages on /metrics, liveness on /healthz, readiness on /readyz."""

from __future__ import annotations

import json
import threading
import time

from remi_stream.config import METRICS_SERVICE, Config
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.order import StageSpec
from remi_stream.sinks.figures import MetricRegistry
from remi_stream.sinks.gpu import GpuMetrics
from remi_stream.sinks.pages import LOOPBACK_HOST, HttpPage, HttpPageServer
from remi_stream.sinks.sink import Sink
from remi_stream.sinks.tally import PipelineCounters
from remi_stream.sinks.vitals import PipelineHealth

PROMETHEUS_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of Prometheus' text exposition format."""


class ExporterStage(Sink):
    """Counts every message and serves the metrics over HTTP."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._registry = MetricRegistry()
        self._counters = PipelineCounters(config, self._registry)
        self._gpus = GpuMetrics()
        # Else a scrape could see a message half counted, and captured = published + dropped + in flight would not hold.
        self._lock = threading.Lock()
        self._server: HttpPageServer | None = None

    def open(self) -> None:
        """Start the HTTP server. Raises RemiError when the port is in use."""
        self._pipeline_health = PipelineHealth(time.monotonic())
        pages = {"/metrics": self._scrape, "/healthz": self._health, "/readyz": self._ready}
        self._server = HttpPageServer(self._config.port(METRICS_SERVICE), pages, self._config.metrics_bind or LOOPBACK_HOST)
        self._gpus.open(self._registry)
        self._server.start()

    def step(self, message: Bodies | CameraFacts | Health) -> None:
        """Count a message."""
        now = time.monotonic()
        with self._lock:
            self._counters.count_message(message, now)
            self._pipeline_health.update(message, now)

    def close(self) -> None:
        """Stop the HTTP server, if it was started."""
        if self._server:
            self._server.stop()
        self._gpus.close()

    def _scrape(self) -> HttpPage:
        with self._lock:
            self._gpus.update(self._registry)
            self._counters.update_time(time.monotonic())
            return HttpPage(self._registry.render_text(), content_type=PROMETHEUS_TEXT_FORMAT)

    def _health(self) -> HttpPage:
        with self._lock:
            error, stages = self._pipeline_health.health_error(time.monotonic()), self._pipeline_health.stage_states
        answer = {"status": "failed" if error else "ok", "reason": error, "stages": stages}
        return HttpPage(json.dumps(answer).encode() + b"\n", 503 if error else 200, "application/json")

    def _ready(self) -> HttpPage:
        with self._lock:
            reason = self._pipeline_health.not_ready_reason(time.monotonic())
        return HttpPage(f"{reason or 'ready'}\n".encode(), 503 if reason else 200)


def make_exporter_stage(spec: StageSpec) -> ExporterStage:
    """Create the exporter stage from its StageSpec."""
    return ExporterStage(spec.config)
