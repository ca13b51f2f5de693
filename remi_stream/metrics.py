"""THE table of metrics: every name, what it says, its labels and buckets. docs/metrics.md says the same to people.

Base units, `_total` on counters, histograms for latencies (they add up over cameras), and only labels with few values. A
camera has 76 series at most.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

HOP_BUCKETS = (0.001, 0.005, 0.015, 0.05, 0.25, 2.5)
"""Six, since a camera has one such histogram per hop."""
LATENCY_BUCKETS = (0.01, 0.015, 0.02, 0.025, 0.035, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0)


class Metric(NamedTuple):
    """One row. buckets: upper bounds, s, of a histogram."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("counter", "remi_frames_captured_total", "Frames that the camera captured.", ("camera",)),
        Metric("counter", "remi_frames_published_total", "Frames whose bodies were published.", ("camera",)),
        Metric(
            "counter",
            "remi_frames_dropped_total",
            "Frames that were not published, by the stage and the reason.",
            ("camera", "stage", "reason"),
        ),
        Metric("gauge", "remi_people", "People in the newest frame.", ("camera",)),
        Metric("counter", "remi_tracks_total", "Track ids given to people so far.", ("camera",)),
        Metric("gauge", "remi_camera_state", "1 for the state that the camera is in, 0 for the others.", ("camera", "state")),
        Metric("gauge", "remi_camera_nominal_fps", "Frames per second that the source promises.", ("camera",)),
        Metric(
            "histogram",
            "remi_hop_latency_seconds",
            "Time from the stamp before to the stamp that the hop is named after.",
            ("camera", "hop"),
            HOP_BUCKETS,
        ),
        Metric(
            "histogram",
            "remi_relay_latency_seconds",
            "Time from the capture of a frame to the publication of its bodies.",
            ("camera",),
            LATENCY_BUCKETS,
        ),
        Metric(
            "histogram",
            "remi_exporter_latency_seconds",
            "Time from the capture of a frame to the arrival of its bodies here, at the end of the bus.",
            (),
            LATENCY_BUCKETS,
        ),
        Metric("gauge", "remi_stage_up", "1 while the stage's process is ready for work.", ("stage", "camera")),
        Metric("counter", "remi_stage_restarts_total", "Restarts of the stage's process.", ("stage", "camera")),
        Metric(
            "counter",
            "remi_stage_cpu_seconds_total",
            "Processor time that the stage used, in all its processes.",
            ("stage", "camera"),
        ),
        Metric("gauge", "remi_stage_memory_bytes", "Resident memory of the stage's process.", ("stage", "camera")),
        Metric("gauge", "remi_recorder_state", "1 for the state that the recorder is in, 0 for the others.", ("state",)),
        Metric("counter", "remi_recorder_bodies_total", "Bodies messages that were recorded."),
        Metric("counter", "remi_recorder_dropped_total", "Bodies messages that found no room: the disk is full or too slow."),
        Metric("counter", "remi_recorder_errors_total", "Errors of the disk; each has ended a recording."),
        Metric("counter", "remi_recorder_written_bytes_total", "Bytes written while recordings grow."),
        Metric("gauge", "remi_build_info", "Always 1; the labels say what is running.", ("version", "engine", "detector")),
    )
}


class Metrics:
    """The figures of this process, one object per row of the table."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._made = {metric.name: _make(metric, self._registry) for metric in METRICS.values()}

    def add(self, name: str, amount: float, **labels: str) -> None:
        """Let a counter grow."""
        self._of(name, labels).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._of(name, labels).set(value)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add to a histogram."""
        self._of(name, labels).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _of(self, name: str, labels: dict[str, str]) -> Any:
        made = self._made[name]
        return made.labels(**labels) if labels else made


def _make(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.help, metric.labels, registry=registry)
