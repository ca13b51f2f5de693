"""Prometheus counters and gauges of the stages, from their heartbeats."""

from __future__ import annotations

from remi_stream.messages import Health
from remi_stream.pipeline import ROWS, listens
from remi_stream.sinks.figures import Figures
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
TELLERS = {row.name for row in ROWS if listens(row) or row.name.startswith("remi")} - {"recorder"}
"""Sinks and REMI bridges whose counts have no metrics of their own: they become `remi_stage_events_total`."""
EVENTS_KEPT = 8
"""Maximum of series for each of these stages; it bounds the cardinality, as a plug-in may count anything."""


class StageTally:
    """State, memory, CPU time and restarts of one stage, over all its processes."""

    def __init__(self, figures: Figures, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._registry = figures
        self._labels = {"stage": stage, "camera": camera}
        self._restarts = self._pid = 0
        self._cpu_s = 0.0

    def take(self, health: Health) -> None:
        """Update from a heartbeat."""
        self._registry.set("remi_stage_up", health.state == "ready", **self._labels)
        self._registry.set("remi_stage_memory_bytes", health.memory_bytes, **self._labels)
        self._registry.add("remi_stage_restarts_total", max(0, health.restarts - self._restarts), **self._labels)
        self._registry.add("remi_stage_cpu_seconds_total", self._cpu_growth(health), **self._labels)
        self._restarts = max(self._restarts, health.restarts)

    def _cpu_growth(self, health: Health) -> float:
        # A new process starts its CPU time at 0; the counter must not fall.
        before = self._cpu_s if health.pid == self._pid else 0.0
        self._pid, self._cpu_s = health.pid, health.cpu_s
        return max(0.0, health.cpu_s - before)


class Growth:
    """Increments of a stage's counts since its last heartbeat. Each process of the stage starts at 0."""

    def __init__(self) -> None:
        self._pid = 0
        self._last: dict[str, int] = {}

    def of(self, health: Health) -> dict[str, int]:
        """The increment of each count of this heartbeat."""
        if health.pid != self._pid:
            self._pid, self._last = health.pid, {}
        grown = {name: max(0, count - self._last.get(name, 0)) for name, count in health.counts.items()}
        self._last.update(health.counts)
        return grown


class RecorderTally:
    """State and counts of the recorder."""

    def __init__(self, figures: Figures) -> None:
        self._registry, self._deltas = figures, Growth()

    def take(self, health: Health) -> None:
        """Update from a heartbeat; those of a starting process have no recorder state yet."""
        if "recording" not in health.facts:
            return
        for state in RECORDER_STATES:
            self._registry.set("remi_recorder_state", state == health.facts["recording"], state=state)
        grown = self._deltas.of(health)
        for count, name in RECORDER_COUNTS.items():
            self._registry.add(name, grown.get(count, 0))


class PoseTally:
    """Inference counts of the pose stage, and its engine and runtime."""

    def __init__(self, figures: Figures) -> None:
        self._registry, self._deltas = figures, Growth()

    def take(self, health: Health) -> None:
        """Update from a heartbeat."""
        grown = self._deltas.of(health)
        for count, (name, unit) in POSE_COUNTS.items():
            self._registry.add(name, grown.get(count, 0) * unit)
        if {"engine", "runtime"} <= health.facts.keys():
            self._registry.forget("remi_engine_info")
            self._registry.set("remi_engine_info", 1, engine=health.facts["engine"], runtime=health.facts["runtime"])


class EventTally:
    """Counts of a sink or bridge as events. At most MAX_EVENT_NAMES names; later ones are left out."""

    def __init__(self, figures: Figures, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._registry, self._deltas = figures, Growth()
        self._labels = {"stage": stage, "camera": camera}
        self._events: set[str] = set()

    def take(self, health: Health) -> None:
        """Update from a heartbeat."""
        for event, count in sorted(self._deltas.of(health).items()):
            if event in self._events or len(self._events) < EVENTS_KEPT:
                self._events.add(event)
                self._registry.add("remi_stage_events_total", count, event=event, **self._labels)


class StagesTally:
    """Metrics of all stages of a pipeline."""

    def __init__(self, figures: Figures) -> None:
        self._registry = figures
        self._tallies: dict[str, list[StageTally | RecorderTally | PoseTally | EventTally]] = {}

    def take(self, health: Health) -> None:
        """Update the metrics of the stage that sent the heartbeat."""
        if health.stage not in self._tallies:
            self._tallies[health.stage] = self._create(health.stage)
        for tally in self._tallies[health.stage]:
            tally.take(health)

    def _create(self, label: str) -> list[StageTally | RecorderTally | PoseTally | EventTally]:
        tallies: list[StageTally | RecorderTally | PoseTally | EventTally] = [StageTally(self._registry, label)]
        if label == "recorder":
            tallies.append(RecorderTally(self._registry))
        elif label == "pose":
            tallies.append(PoseTally(self._registry))
        elif label.partition("/")[0] in TELLERS:
            tallies.append(EventTally(self._registry, label))
        return tallies
