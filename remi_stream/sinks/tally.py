"""Prometheus counters of a pipeline, updated from all messages on the bus."""

from __future__ import annotations

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.relay.books import Ledger
from remi_stream.sinks.camera_tally import CameraCounters
from remi_stream.sinks.figures import MetricRegistry
from remi_stream.sinks.stage_tally import AllStagesCounters


class PipelineCounters:
    """Metrics of all cameras and stages of a pipeline."""

    def __init__(self, config: Config, registry: MetricRegistry) -> None:
        self._registry = registry
        ledger = Ledger()
        self._cameras = {camera.name: CameraCounters(registry, ledger, camera.name) for camera in config.cameras}
        self._stages = AllStagesCounters(registry)
        build = {"version": __version__, "engine": config.engine_names, "detector": config.detector}
        registry.set("remi_build_info", 1, **build)

    def count_message(self, message: Bodies | CameraFacts | Health, now: float) -> None:
        """Count a message. now: its arrival, monotonic s."""
        if isinstance(message, Bodies):
            self._cameras[message.camera].count_bodies(message)
            self._registry.observe("remi_exporter_latency_seconds", now - message.captured_at)
        elif isinstance(message, CameraFacts):
            self._cameras[message.camera].update_facts(message, now)
        else:
            self._stages.update(message)

    def update_time(self, now: float) -> None:
        """Update the metrics that grow without messages; called before each scrape. now: monotonic s."""
        for camera in self._cameras.values():
            camera.update_time(now)
