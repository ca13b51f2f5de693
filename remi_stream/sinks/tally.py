"""What the messages on the bus say, counted in metrics."""

from __future__ import annotations

from collections import deque

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.metrics import Metrics
from remi_stream.pipeline import ROWS
from remi_stream.relay.books import LOST, Books
from remi_stream.sinks.recording.states import RECORDER_STATES

STATES = ("starting", "live", "reconnecting", "ended")
HOPS = frozenset(f"{row.name}{end}" for row in ROWS for end in ("_in", ""))
DROPS = ("capture/superseded", "pose/unasked", "pose/overflow", LOST)
"""Told as 0 from the start: of a counter that begins at 3 Prometheus sees no increase."""
TRACKS_KEPT = 256
RECORDER_COUNTS = {
    "bodies": "remi_recorder_bodies_total",
    "dropped": "remi_recorder_dropped_total",
    "errors": "remi_recorder_errors_total",
    "written_bytes": "remi_recorder_written_bytes_total",
}
"""The metrics of what the recorder counts."""


class CameraTally:
    """The counts of one camera."""

    def __init__(self, metrics: Metrics, books: Books, camera: str) -> None:
        self._metrics, self._books, self._camera = metrics, books, camera
        self._told: dict[str, int] = {}
        self._tracks: deque[int] = deque(maxlen=TRACKS_KEPT)
        self._tell_books()
        self._tell_drops(dict.fromkeys(DROPS, 0))
        metrics.set("remi_people", 0, camera=camera)
        metrics.add("remi_tracks_total", 0, camera=camera)

    def take_facts(self, facts: CameraFacts) -> None:
        """Count what the camera captured, and tell its state."""
        self._books.capture(facts)
        self._tell_books()
        for state in STATES:
            self._metrics.set("remi_camera_state", state == facts.state, camera=self._camera, state=state)
        self._metrics.set("remi_camera_nominal_fps", facts.fps, camera=self._camera)
        if facts.state != "live":
            self._metrics.set("remi_people", 0, camera=self._camera)

    def take_bodies(self, bodies: Bodies, now: float) -> None:
        """Count a frame, its people and its way."""
        self._books.publish(bodies)
        self._tell_books()
        self._metrics.set("remi_people", len(bodies.people), camera=self._camera)
        self._tell_tracks([person.track_id for person in bodies.people])
        self._tell_hops(bodies)
        at_relay = bodies.stamps["relay"] - bodies.captured_at
        self._metrics.observe("remi_relay_latency_seconds", at_relay, camera=self._camera)
        self._metrics.observe("remi_exporter_latency_seconds", now - bodies.captured_at)

    def _tell_books(self) -> None:
        total = self._books.total(self._camera)
        self._grow("remi_frames_captured_total", total.captured)
        self._grow("remi_frames_published_total", total.published)
        self._tell_drops(total.dropped)

    def _tell_drops(self, dropped: dict[str, int]) -> None:
        for key, count in dropped.items():
            stage, _, reason = key.rpartition("/")
            self._grow("remi_frames_dropped_total", count, stage=stage or "relay", reason=reason)

    def _grow(self, name: str, total: int, **labels: str) -> None:
        key = "/".join([name, *labels.values()])
        self._metrics.add(name, total - self._told.get(key, 0), camera=self._camera, **labels)
        self._told[key] = total

    def _tell_tracks(self, track_ids: list[int]) -> None:
        fresh = [track_id for track_id in track_ids if track_id not in self._tracks]
        self._tracks.extend(fresh)
        self._metrics.add("remi_tracks_total", len(fresh), camera=self._camera)

    def _tell_hops(self, bodies: Bodies) -> None:
        before = bodies.captured_at
        for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
            if hop in HOPS:
                self._metrics.observe("remi_hop_latency_seconds", at - before, camera=self._camera, hop=hop)
                before = at


class StageTally:
    """The counts of one stage, over all its processes."""

    def __init__(self, metrics: Metrics, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._metrics = metrics
        self._labels = {"stage": stage, "camera": camera}
        self._restarts = self._pid = 0
        self._cpu_s = 0.0

    def take(self, health: Health) -> None:
        """Tell how the stage is doing."""
        self._metrics.set("remi_stage_up", health.state == "ready", **self._labels)
        self._metrics.set("remi_stage_memory_bytes", health.memory_bytes, **self._labels)
        self._metrics.add("remi_stage_restarts_total", max(0, health.restarts - self._restarts), **self._labels)
        self._metrics.add("remi_stage_cpu_seconds_total", self._cpu_growth(health), **self._labels)
        self._restarts = max(self._restarts, health.restarts)

    def _cpu_growth(self, health: Health) -> float:
        before = self._cpu_s if health.pid == self._pid else 0.0
        self._pid, self._cpu_s = health.pid, health.cpu_s
        return max(0.0, health.cpu_s - before)


class RecorderTally:
    """The counts of the recorder, over all its processes."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._pid = 0
        self._told: dict[str, int] = {}

    def take(self, health: Health) -> None:
        """Tell how it goes; a process that is starting has nothing to tell."""
        if "recording" not in health.facts:
            return
        for state in RECORDER_STATES:
            self._metrics.set("remi_recorder_state", state == health.facts["recording"], state=state)
        if health.pid != self._pid:
            self._pid, self._told = health.pid, {}
        for count, name in RECORDER_COUNTS.items():
            self._metrics.add(name, max(0, health.counts.get(count, 0) - self._told.get(count, 0)))
            self._told[count] = health.counts.get(count, 0)


class Tally:
    """All cameras and stages of a pipeline."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self._metrics = metrics
        books = Books()
        self._cameras = {camera.name: CameraTally(metrics, books, camera.name) for camera in config.cameras}
        self._stages: dict[str, StageTally] = {}
        self._recorder = RecorderTally(metrics)
        build = {"version": __version__, "engine": config.engine_names, "detector": config.detector}
        metrics.set("remi_build_info", 1, **build)

    def take(self, message: Bodies | CameraFacts | Health, now: float) -> None:
        """Count a message that arrived now (monotonic s)."""
        if isinstance(message, Bodies):
            self._cameras[message.camera].take_bodies(message, now)
        elif isinstance(message, CameraFacts):
            self._cameras[message.camera].take_facts(message)
        else:
            self._stages.setdefault(message.stage, StageTally(self._metrics, message.stage)).take(message)
            self._recorder.take(message)
