"""Prometheus counters of a pipeline, updated from all messages on the bus."""

from __future__ import annotations

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.relay.books import Books
from remi_stream.sinks.camera_tally import CameraTally
from remi_stream.sinks.figures import Figures
from remi_stream.sinks.stage_tally import StagesTally


class Tally:
    """Metrics of all cameras and stages of a pipeline."""

    def __init__(self, config: Config, figures: Figures) -> None:
        self._registry = figures
        ledger = Books()
        self._cameras = {camera.name: CameraTally(figures, ledger, camera.name) for camera in config.cameras}
        self._stages = StagesTally(figures)
        build = {"version": __version__, "engine": config.engine_names, "detector": config.detector}
        figures.set("remi_build_info", 1, **build)

    def take(self, message: Bodies | CameraFacts | Health, now: float) -> None:
        """Count a message. now: its arrival, monotonic s."""
        if isinstance(message, Bodies):
            self._cameras[message.camera].take_bodies(message)
            self._registry.observe("remi_exporter_latency_seconds", now - message.captured_at)
        elif isinstance(message, CameraFacts):
            self._cameras[message.camera].take_facts(message, now)
        else:
            self._stages.take(message)

    def tell_time(self, now: float) -> None:
        """Update the metrics that grow without messages; called before each scrape. now: monotonic s."""
        for camera in self._cameras.values():
            camera.tell_time(now)
