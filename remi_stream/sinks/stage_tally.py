"""What is counted of the stages, from their heartbeats."""

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
"""The metrics of what the recorder counts."""
POSE_COUNTS = {
    "inferences": ("remi_inferences_total", 1.0),
    "inference_people": ("remi_inference_people_total", 1.0),
    "inference_us": ("remi_inference_seconds_total", 1e-6),
}
"""The metrics of what pose counts, and their unit."""
TELLERS = {row.name for row in ROWS if listens(row) or row.name.startswith("remi")} - {"recorder"}
"""Sinks and bridges whose counts have no metrics of their own."""
EVENTS_KEPT = 8
"""So many series at most for each of them."""


class StageTally:
    """The counts of one stage, over all its processes."""

    def __init__(self, figures: Figures, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._figures = figures
        self._labels = {"stage": stage, "camera": camera}
        self._restarts = self._pid = 0
        self._cpu_s = 0.0

    def take(self, health: Health) -> None:
        """Tell how the stage is doing."""
        self._figures.set("remi_stage_up", health.state == "ready", **self._labels)
        self._figures.set("remi_stage_memory_bytes", health.memory_bytes, **self._labels)
        self._figures.add("remi_stage_restarts_total", max(0, health.restarts - self._restarts), **self._labels)
        self._figures.add("remi_stage_cpu_seconds_total", self._cpu_growth(health), **self._labels)
        self._restarts = max(self._restarts, health.restarts)

    def _cpu_growth(self, health: Health) -> float:
        before = self._cpu_s if health.pid == self._pid else 0.0
        self._pid, self._cpu_s = health.pid, health.cpu_s
        return max(0.0, health.cpu_s - before)


class Growth:
    """How much the counts of a stage have grown since it last told them; each of its processes begins at 0."""

    def __init__(self) -> None:
        self._pid = 0
        self._told: dict[str, int] = {}

    def of(self, health: Health) -> dict[str, int]:
        """The growth of each count of this heartbeat."""
        if health.pid != self._pid:
            self._pid, self._told = health.pid, {}
        grown = {name: max(0, count - self._told.get(name, 0)) for name, count in health.counts.items()}
        self._told.update(health.counts)
        return grown


class RecorderTally:
    """The counts of the recorder."""

    def __init__(self, figures: Figures) -> None:
        self._figures, self._growth = figures, Growth()

    def take(self, health: Health) -> None:
        """Tell how it goes; a process that is starting has nothing to tell."""
        if "recording" not in health.facts:
            return
        for state in RECORDER_STATES:
            self._figures.set("remi_recorder_state", state == health.facts["recording"], state=state)
        grown = self._growth.of(health)
        for count, name in RECORDER_COUNTS.items():
            self._figures.add(name, grown.get(count, 0))


class PoseTally:
    """The work of the pose engines, and which they are."""

    def __init__(self, figures: Figures) -> None:
        self._figures, self._growth = figures, Growth()

    def take(self, health: Health) -> None:
        """Tell what was worked since the heartbeat before."""
        grown = self._growth.of(health)
        for count, (name, unit) in POSE_COUNTS.items():
            self._figures.add(name, grown.get(count, 0) * unit)
        if {"engine", "runtime"} <= health.facts.keys():
            self._figures.forget("remi_engine_info")
            self._figures.set("remi_engine_info", 1, engine=health.facts["engine"], runtime=health.facts["runtime"])


class EventTally:
    """What a sink or a bridge counts of itself. A name that is told late finds no room when the others fill it."""

    def __init__(self, figures: Figures, label: str) -> None:
        stage, _, camera = label.partition("/")
        self._figures, self._growth = figures, Growth()
        self._labels = {"stage": stage, "camera": camera}
        self._events: set[str] = set()

    def take(self, health: Health) -> None:
        """Tell how much of what has happened since the heartbeat before."""
        for event, count in sorted(self._growth.of(health).items()):
            if event in self._events or len(self._events) < EVENTS_KEPT:
                self._events.add(event)
                self._figures.add("remi_stage_events_total", count, event=event, **self._labels)


class StagesTally:
    """All stages of a pipeline."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._tallies: dict[str, list[StageTally | RecorderTally | PoseTally | EventTally]] = {}

    def take(self, health: Health) -> None:
        """Count a heartbeat."""
        if health.stage not in self._tallies:
            self._tallies[health.stage] = self._begin(health.stage)
        for tally in self._tallies[health.stage]:
            tally.take(health)

    def _begin(self, label: str) -> list[StageTally | RecorderTally | PoseTally | EventTally]:
        begun: list[StageTally | RecorderTally | PoseTally | EventTally] = [StageTally(self._figures, label)]
        if label == "recorder":
            begun.append(RecorderTally(self._figures))
        elif label == "pose":
            begun.append(PoseTally(self._figures))
        elif label.partition("/")[0] in TELLERS:
            begun.append(EventTally(self._figures, label))
        return begun
