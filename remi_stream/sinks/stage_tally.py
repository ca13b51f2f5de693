"""Prometheus counters and gauges of the stages, from their heartbeats."""

from __future__ import annotations

from remi_stream.messages import Health
from remi_stream.pipeline import STAGES, is_sink_stage
from remi_stream.sinks.figures import MetricRegistry
from remi_stream.sinks.recording.states import RECORDER_STATES

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
STAGES_WITH_EVENTS = {row.name for row in STAGES if is_sink_stage(row) or row.name.startswith("remi")} - {"recorder"}
"""Sinks and REMI bridges whose counts have no metrics of their own: they become `remi_stage_events_total`."""
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


class AllStagesCounters:
    """Metrics of all stages of a pipeline."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._registry = registry
        self._tallies: dict[str, list[StageCounters | RecorderCounters | PoseCounters | EventCounters]] = {}

    def update(self, health: Health) -> None:
        """Update the metrics of the stage that sent the heartbeat."""
        if health.stage not in self._tallies:
            self._tallies[health.stage] = self._create(health.stage)
        for tally in self._tallies[health.stage]:
            tally.update(health)

    def _create(self, label: str) -> list[StageCounters | RecorderCounters | PoseCounters | EventCounters]:
        tallies: list[StageCounters | RecorderCounters | PoseCounters | EventCounters] = [StageCounters(self._registry, label)]
        if label == "recorder":
            tallies.append(RecorderCounters(self._registry))
        elif label == "pose":
            tallies.append(PoseCounters(self._registry))
        elif label.partition("/")[0] in STAGES_WITH_EVENTS:
            tallies.append(EventCounters(self._registry, label))
        return tallies
