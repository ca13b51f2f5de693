"""Table of all Prometheus metrics: name, help, labels and buckets; docs/reference/metrics.md describes them.

Base units, `_total` on counters, histograms for latencies (they can be summed over cameras), labels of low cardinality: at
most 77 series per camera, 78 for a played recording.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

HOP_BUCKETS = (0.001, 0.005, 0.015, 0.05, 0.25)
"""Upper bounds, s. Only five, because each camera has one such histogram per hop."""
LATENCY_BUCKETS = (0.01, 0.015, 0.02, 0.025, 0.035, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0)
"""Upper bounds, s; dense from 15 to 35 ms, where p50 to p99 of one camera lie (docs/reference/benchmarks.md, Live)."""


class Metric(NamedTuple):
    """One metric."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, s."""


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
        Metric("counter", "remi_tracks_total", "Tracks started.", ("camera",)),
        Metric("gauge", "remi_camera_state", "1 for the state that the camera is in, 0 for the others.", ("camera", "state")),
        Metric("gauge", "remi_camera_paused", "1 while playback of a recording is paused.", ("camera",)),
        Metric("counter", "remi_camera_reconnects_total", "Reconnections of the camera.", ("camera",)),
        Metric("counter", "remi_camera_outage_seconds_total", "Total time that the camera was lost.", ("camera",)),
        Metric(
            "gauge",
            "remi_frame_age_seconds",
            "Time since the capture of the newest frame whose bodies arrived.",
            ("camera",),
        ),
        Metric("gauge", "remi_camera_nominal_fps", "Nominal frame rate of the source.", ("camera",)),
        Metric(
            "histogram",
            "remi_hop_latency_seconds",
            "Time from the previous hop to this one.",
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
        Metric("gauge", "remi_filter_info", "Always 1; the filter that smooths the camera's people.", ("camera", "filter")),
        Metric("gauge", "remi_filter_lag_seconds", "Lag of the filter.", ("camera",)),
        Metric("counter", "remi_inferences_total", "Runs of the pose engine."),
        Metric("counter", "remi_inference_people_total", "People processed by the pose engine."),
        Metric("counter", "remi_inference_seconds_total", "Time in the pose engine."),
        Metric("gauge", "remi_engine_info", "Always 1; the pose engine and its runtime.", ("engine", "runtime")),
        Metric("gauge", "remi_stage_up", "1 while the stage is ready.", ("stage", "camera")),
        Metric("gauge", "remi_stage_failed", "1 while the stage has failed and is tried again.", ("stage", "camera")),
        Metric("counter", "remi_stage_restarts_total", "Restarts of the stage's process.", ("stage", "camera")),
        Metric(
            "counter",
            "remi_stage_cpu_seconds_total",
            "CPU time of the stage, over all its restarts.",
            ("stage", "camera"),
        ),
        Metric("gauge", "remi_stage_memory_bytes", "Resident memory of the stage's process.", ("stage", "camera")),
        Metric(
            "counter",
            "remi_stage_events_total",
            "Events counted by the relay, a sink or a source, by name.",
            ("stage", "camera", "event"),
        ),
        Metric("gauge", "remi_recorder_state", "1 for the state that the recorder is in, 0 for the others.", ("state",)),
        Metric("counter", "remi_recorder_bodies_total", "Bodies messages that were recorded."),
        Metric("counter", "remi_recorder_dropped_total", "Bodies messages dropped because the disk was full or too slow."),
        Metric("counter", "remi_recorder_errors_total", "Disk errors; each ended a recording."),
        Metric("counter", "remi_recorder_written_bytes_total", "Bytes written to growing recordings."),
        Metric("gauge", "remi_gpu_info", "Always 1; a GPU of this machine.", ("gpu", "name", "driver")),
        Metric("gauge", "remi_gpu_utilization_ratio", "GPU utilization, 0 to 1.", ("gpu",)),
        Metric("gauge", "remi_gpu_memory_used_bytes", "Memory of the GPU in use, by all processes.", ("gpu",)),
        Metric("gauge", "remi_gpu_memory_size_bytes", "Memory of the GPU.", ("gpu",)),
        Metric("gauge", "remi_gpu_temperature_celsius", "Temperature of the GPU.", ("gpu",)),
        Metric("gauge", "remi_gpu_power_watts", "Power draw of the GPU.", ("gpu",)),
        Metric("gauge", "remi_build_info", "Always 1; the labels say what is running.", ("version", "engine", "detector")),
    )
}
