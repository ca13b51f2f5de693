"""Counters and gauges of a pipeline, updated from the messages on its bus: of its stages (heartbeats) and its cameras."""

from __future__ import annotations

from collections import deque

from remi_stream import __version__
from remi_stream.config import Config
from remi_stream.ledger import LOST_IN_CRASH, Ledger
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.pipeline import STAGES
from remi_stream.recordings.index import RECORDER_STATES
from remi_stream.sinks.metric_registry import MetricRegistry

RECORDER_COUNTS = {
    "bodies": "remi_recorder_bodies_total",
    "dropped": "remi_recorder_dropped_total",
    "errors": "remi_recorder_errors_total",
    "written_bytes": "remi_recorder_written_bytes_total",
}
"""Metric of each count in the recorder's heartbeat."""
POSE_COUNTS = {
    "inferences": ("remi_inferences_total", 1.0),
    "inference_people": ("remi_inference_people_total", 1.0),
    "inference_us": ("remi_inference_seconds_total", 1e-6),
}
"""Metric of each count in pose's heartbeat, and the factor to the metric's unit."""
MAX_EVENT_NAMES = 8
"""Maximum of series for each of these stages; it bounds the cardinality, as a plug-in may count anything."""


class StageCounters:
    """State, memory, CPU time and restarts of one stage, over all its processes."""

    def __init__(self, registry: MetricRegistry, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._registry = registry
        self._labels = {"stage": stage, "camera": camera}
        self._restarts = self._pid = 0
        self._cpu_s = 0.0

    def update(self, health: Health) -> None:
        """Update from a heartbeat."""
        self._registry.set("remi_stage_up", health.state == "ready", **self._labels)
        self._registry.set("remi_stage_failed", health.state == "failed", **self._labels)
        self._registry.set("remi_stage_memory_bytes", health.memory_bytes, **self._labels)
        self._registry.increment("remi_stage_restarts_total", max(0, health.restarts - self._restarts), **self._labels)
        self._registry.increment("remi_stage_cpu_seconds_total", self._cpu_growth(health), **self._labels)
        self._restarts = max(self._restarts, health.restarts)

    def _cpu_growth(self, health: Health) -> float:
        # A new process starts its CPU time at 0; the counter must not fall.
        before = self._cpu_s if health.pid == self._pid else 0.0
        self._pid, self._cpu_s = health.pid, health.cpu_s
        return max(0.0, health.cpu_s - before)


class CounterDeltas:
    """Increments of a stage's counts since its last heartbeat. Each process of the stage starts at 0."""

    def __init__(self) -> None:
        self._pid = 0
        self._last: dict[str, int] = {}

    def since_last(self, health: Health) -> dict[str, int]:
        """The increment of each count of this heartbeat."""
        if health.pid != self._pid:
            self._pid, self._last = health.pid, {}
        grown = {name: max(0, count - self._last.get(name, 0)) for name, count in health.counts.items()}
        self._last.update(health.counts)
        return grown


class RecorderCounters:
    """State and counts of the recorder."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._registry, self._deltas = registry, CounterDeltas()

    def update(self, health: Health) -> None:
        """Update from a heartbeat; those of a starting process have no recorder state yet."""
        if "recording" not in health.facts:
            return
        for state in RECORDER_STATES:
            self._registry.set("remi_recorder_state", state == health.facts["recording"], state=state)
        grown = self._deltas.since_last(health)
        for count, name in RECORDER_COUNTS.items():
            self._registry.increment(name, grown.get(count, 0))


class PoseCounters:
    """Inference counts of the pose stage, and its engine and runtime."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._registry, self._deltas = registry, CounterDeltas()

    def update(self, health: Health) -> None:
        """Update from a heartbeat."""
        grown = self._deltas.since_last(health)
        for count, (name, unit) in POSE_COUNTS.items():
            self._registry.increment(name, grown.get(count, 0) * unit)
        if {"engine", "runtime"} <= health.facts.keys():
            self._registry.remove("remi_engine_info")
            self._registry.set("remi_engine_info", 1, engine=health.facts["engine"], runtime=health.facts["runtime"])


class EventCounters:
    """Counts of a sink or bridge as events. At most MAX_EVENT_NAMES names; later ones are left out."""

    def __init__(self, registry: MetricRegistry, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._registry, self._deltas = registry, CounterDeltas()
        self._labels = {"stage": stage, "camera": camera}
        self._events: set[str] = set()

    def update(self, health: Health) -> None:
        """Update from a heartbeat."""
        for event, count in sorted(self._deltas.since_last(health).items()):
            if event in self._events or len(self._events) < MAX_EVENT_NAMES:
                self._events.add(event)
                self._registry.increment("remi_stage_events_total", count, event=event, **self._labels)


OwnCounters = RecorderCounters | PoseCounters | EventCounters
COUNTERS_OF_STAGE = {row.name: row.counters for row in STAGES}


class AllStagesCounters:
    """Metrics of all stages of a pipeline."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._registry = registry
        self._counters: dict[str, list[StageCounters | OwnCounters]] = {}

    def update(self, health: Health) -> None:
        """Update the metrics of the stage that sent the heartbeat."""
        if health.stage not in self._counters:
            self._counters[health.stage] = [StageCounters(self._registry, health.stage), *self._own_counters(health.stage)]
        for counters in self._counters[health.stage]:
            counters.update(health)

    def _own_counters(self, label: str) -> list[OwnCounters]:
        """Counters of what only this stage counts, as its row in the stage table says."""
        kind = COUNTERS_OF_STAGE.get(label.partition("/")[0], "none")
        if kind == "recorder":
            return [RecorderCounters(self._registry)]
        if kind == "pose":
            return [PoseCounters(self._registry)]
        return [EventCounters(self._registry, label)] if kind == "events" else []


# One camera: frames, drops, tracks, latency per hop, outages

CAMERA_STATES = ("starting", "live", "reconnecting", "ended")
"""States of a camera; `remi_camera_state` is 1 for one of them and 0 for the others."""
MEASURED_HOPS = frozenset(f"{row.name}{end}" for row in STAGES for end in ("_in", ""))
"""Stamps that become a `hop` label: arrival at a stage (`_in`) and departure. Other stamps would grow the number of series."""
INITIAL_DROP_REASONS = ("capture/superseded", "pose/unasked", "pose/overflow", LOST_IN_CRASH)
"""Drop reasons that are exported as 0 from the start: `increase()` misses the first step of a series that appears at 3."""
RECENT_TRACKS = 256
"""Recent track ids that are remembered, to count each track once."""


class CameraCounters:
    """Metrics of one camera, updated from its `CameraFacts` and `Bodies` messages."""

    def __init__(self, registry: MetricRegistry, ledger: Ledger, camera: str) -> None:
        self._registry, self._ledger, self._camera = registry, ledger, camera
        self._outages = OutageCounter(registry, camera)
        self._exported: dict[str, int] = {}
        self._recent_tracks: deque[int] = deque(maxlen=RECENT_TRACKS)
        self._filter = ""
        self._last_captured_at: float | None = None
        # Series exist from the start: rate() and increase() need a value before the first event.
        self._export_ledger()
        self._export_drops(dict.fromkeys(INITIAL_DROP_REASONS, 0))
        self._export_state("starting")  # of a camera that can never start, too
        registry.set("remi_people", 0, camera=camera)
        registry.increment("remi_tracks_total", 0, camera=camera)

    def update_facts(self, facts: CameraFacts, now: float) -> None:
        """Update captured frames, state, playback, filter and outages. now: monotonic s."""
        self._ledger.record_captured(facts)
        self._export_ledger()
        self._export_state(facts.state)
        if facts.playing:
            self._registry.set("remi_camera_paused", facts.playing.paused, camera=self._camera)
        self._registry.set("remi_camera_nominal_fps", facts.fps, camera=self._camera)
        self._outages.update_state(facts.state, now)
        self._export_filter(facts)
        if facts.state != "live":  # no bodies will come that set it to 0
            self._registry.set("remi_people", 0, camera=self._camera)

    def count_bodies(self, bodies: Bodies) -> None:
        """Count a published frame, its people and tracks, and observe its latency per hop."""
        self._ledger.record_published(bodies)
        self._export_ledger()
        self._last_captured_at = bodies.captured_at
        self._registry.set("remi_people", len(bodies.people), camera=self._camera)
        self._count_tracks([person.track_id for person in bodies.people])
        self._observe_hops(bodies)
        at_relay = bodies.stamps["relay"] - bodies.captured_at
        self._registry.observe("remi_relay_latency_seconds", at_relay, camera=self._camera)

    def update_time(self, now: float) -> None:
        """Update the metrics that grow without messages: outage time and age of the last frame. now: monotonic s."""
        self._outages.update_time(now)
        if self._last_captured_at is not None:
            self._registry.set("remi_frame_age_seconds", now - self._last_captured_at, camera=self._camera)

    def _export_state(self, current: str) -> None:
        for state in CAMERA_STATES:
            self._registry.set("remi_camera_state", state == current, camera=self._camera, state=state)

    def _export_ledger(self) -> None:
        total = self._ledger.total(self._camera)
        self._add_growth("remi_frames_captured_total", total.captured)
        self._add_growth("remi_frames_published_total", total.published)
        self._export_drops(total.dropped)

    def _export_drops(self, dropped: dict[str, int]) -> None:
        for key, count in dropped.items():
            stage, _, reason = key.rpartition("/")
            self._add_growth("remi_frames_dropped_total", count, stage=stage or "relay", reason=reason)

    def _add_growth(self, name: str, total: int, **labels: str) -> None:
        # The ledger holds totals, the registry wants increments: a counter is never set.
        key = "/".join([name, *labels.values()])
        self._registry.increment(name, total - self._exported.get(key, 0), camera=self._camera, **labels)
        self._exported[key] = total

    def _count_tracks(self, track_ids: list[int]) -> None:
        fresh = [track_id for track_id in track_ids if track_id not in self._recent_tracks]
        self._recent_tracks.extend(fresh)
        self._registry.increment("remi_tracks_total", len(fresh), camera=self._camera)

    def _observe_hops(self, bodies: Bodies) -> None:
        before = bodies.captured_at
        # Stamps are an unordered map: sorted by time, each hop lasts from the one before.
        for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
            if hop in MEASURED_HOPS:
                self._registry.observe("remi_hop_latency_seconds", at - before, camera=self._camera, hop=hop)
                before = at

    def _export_filter(self, facts: CameraFacts) -> None:
        # An info metric has the value as a label: the series of the previous filter must go.
        if facts.filter != self._filter:
            self._registry.remove("remi_filter_info", camera=self._camera)
            self._registry.set("remi_filter_info", 1, camera=self._camera, filter=facts.filter)
            self._filter = facts.filter
        if facts.filter_lag_s is None:
            self._registry.remove("remi_filter_lag_seconds", camera=self._camera)
        else:
            self._registry.set("remi_filter_lag_seconds", facts.filter_lag_s, camera=self._camera)


class OutageCounter:
    """Counts a camera's reconnects and outage seconds. An outage in progress is added at each update.

    A restart of the capture process during an outage does not end it: only `live` or `ended` does.
    """

    def __init__(self, registry: MetricRegistry, camera: str) -> None:
        self._registry, self._camera = registry, camera
        self._outage_since: float | None = None
        registry.increment("remi_camera_reconnects_total", 0, camera=camera)
        registry.increment("remi_camera_outage_seconds_total", 0, camera=camera)

    def update_state(self, state: str, now: float) -> None:
        """Update with the camera's state. now: monotonic s."""
        self.update_time(now)
        if state == "reconnecting" and self._outage_since is None:
            self._outage_since = now
        elif state in ("live", "ended") and self._outage_since is not None:
            self._outage_since = None
            self._registry.increment("remi_camera_reconnects_total", state == "live", camera=self._camera)

    def update_time(self, now: float) -> None:
        """Add the outage time since the last update, if the camera is reconnecting. now: monotonic s."""
        if self._outage_since is not None:
            self._registry.increment("remi_camera_outage_seconds_total", now - self._outage_since, camera=self._camera)
            self._outage_since = now


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
        """Count a message, unless it is of a camera that this pipeline does not have. now: its arrival, monotonic s."""
        if isinstance(message, Health):
            self._stages.update(message)
            return
        camera = self._cameras.get(message.camera)
        if camera is None:
            return
        if isinstance(message, Bodies):
            camera.count_bodies(message)
            self._registry.observe("remi_exporter_latency_seconds", now - message.captured_at)
        else:
            camera.update_facts(message, now)

    def update_time(self, now: float) -> None:
        """Update the metrics that grow without messages; called before each scrape. now: monotonic s."""
        for camera in self._cameras.values():
            camera.update_time(now)
