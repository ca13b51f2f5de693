"""Panels of the dashboard and their PromQL queries. docs/operate/operations.md describes them."""

from __future__ import annotations

from typing import Any

from dashboard.shapes import GREEN, ORANGE, RED, YELLOW, curves, number, query, spread, states, words

DAEMON = 'instance="$instance"'
CAMERA = f'{DAEMON},camera=~"$camera"'
PACE = "[$__rate_interval]"
FPS = "suffix: fps"
LATE_S = 0.1
"""Latency limit of the service level objective, s; the same as in configs/prometheus/remi-stream.rules.yml."""
STATE_NAMES = {3: ("live", GREEN), 2: ("reconnecting", RED), 1: ("starting", YELLOW), 0: ("ended", "gray")}


def rate(name: str, labels: str = CAMERA, by: str = "") -> str:
    """PromQL: rate of a counter, summed by labels."""
    return f"sum{f' by ({by})' if by else ''} (rate({name}{{{labels}}}{PACE}))"


def grown(name: str, labels: str, by: str, since: str = PACE) -> str:
    """PromQL: increase of a counter, summed by labels."""
    return f"sum by ({by}) (increase({name}{{{labels}}}{since}))"


def quantile(share: float) -> str:
    """PromQL: quantile of the relay latency."""
    return f"histogram_quantile({share}, {rate('remi_relay_latency_seconds_bucket', by='le')})"


def in_state(state: str) -> str:
    """PromQL: 1 for each camera in a state."""
    return f'sum by (camera) (remi_camera_state{{{CAMERA},state="{state}"}})'


def burn(window: str) -> str:
    """PromQL: burn rate of the objective's error budget."""
    return f"instance:remi_late_bodies:ratio_rate{window}{{{DAEMON}}} / 0.01"


GLANCE = [
    number(
        "Cameras live",
        "Cameras that currently deliver frames.",
        "none",
        query(f'sum(remi_camera_state{{{CAMERA},state="live"}})', "live"),
        steps={0: RED, 1: GREEN},
    ),
    number("Bodies", "Frames per second whose bodies are published.", FPS, query(rate("remi_frames_published_total"), "bodies")),
    number(
        "Latency, 95 %",
        "Time from capture of a frame to publication of its bodies, 95th percentile.",
        "s",
        query(quantile(0.95), "p95"),
        steps={LATE_S / 2: YELLOW, LATE_S: RED},
    ),
    number("People", "People in the newest frames.", "none", query(f"sum(remi_people{{{CAMERA}}})", "people")),
    number(
        "SLO burn, 1 h",
        "Burn rate of the error budget for late bodies; at 1 the budget is used up exactly at the end of the period.",
        "suffix: x",
        query(burn("1h"), "burn"),
        steps={1: YELLOW, 6: ORANGE, 14.4: RED},
    ),
    number(
        "Restarts, 1 h",
        "Process restarts in the last hour.",
        "none",
        query(f"round(sum(increase(remi_stage_restarts_total{{{DAEMON}}}[1h])))", "restarts"),
        steps={1: YELLOW, 5: RED},
    ),
    words(
        "What is running",
        "Version, detector, engines with their runtimes, filter of each camera.",
        query(f"remi_build_info{{{DAEMON}}}", "remi-stream {{version}}, detector {{detector}}", newest=True),
        query(f"remi_engine_info{{{DAEMON}}}", "{{engine}} in {{runtime}}", newest=True),
        query(f"remi_filter_info{{{CAMERA}}}", "{{camera}}: filter {{filter}}", newest=True),
    ),
]

CAMERAS = [
    curves(
        "Frames in, bodies out",
        "Captured and published frames per camera. The difference is dropped; see the reasons.",
        FPS,
        query(rate("remi_frames_captured_total", by="camera"), "{{camera}} in"),
        query(rate("remi_frames_published_total", by="camera"), "{{camera}} out"),
    ),
    curves(
        "Frame age",
        "Age of the newest frame with published bodies. It grows while no bodies arrive.",
        "s",
        query(f"remi_frame_age_seconds{{{CAMERA}}}", "{{camera}}"),
        steps={1: RED},
    ),
    states(
        "Camera state",
        "A reconnecting camera is retried until it comes back.",
        STATE_NAMES,
        query(f"3 * {in_state('live')} + 2 * {in_state('reconnecting')} + {in_state('starting')}", "{{camera}}"),
    ),
    curves(
        "Frames dropped, by reason",
        "superseded: replaced by a newer frame, expected if pose is slower than the camera. lost_in_crash: a process died.",
        FPS,
        query(rate("remi_frames_dropped_total", by="stage, reason"), "{{stage}}: {{reason}}"),
        stacked=True,
    ),
    curves(
        "Reconnects and time away",
        "Share of time without the camera, and number of reconnects.",
        "percentunit",
        query(rate("remi_camera_outage_seconds_total", by="camera"), "{{camera}} away"),
        query(grown("remi_camera_reconnects_total", CAMERA, "camera"), "{{camera}} came back"),
        right=(".*came back", "none"),
    ),
    curves(
        "Restarts",
        "Restarts of processes that died or hung; 1 while a stage has failed.",
        "none",
        query(grown("remi_stage_restarts_total", DAEMON, "stage, camera"), "{{stage}} {{camera}}"),
        query(f"max by (stage, camera) (remi_stage_failed{{{DAEMON}}}) > 0 or vector(0)", "{{stage}} {{camera}} failed"),
        bars=True,
    ),
]

LATENCY = [
    curves(
        "Latency: 50, 95, 99 %",
        "Time from capture of a frame to publication of its bodies. The line is the objective's limit.",
        "s",
        query(quantile(0.5), "50 %"),
        query(quantile(0.95), "95 %"),
        query(quantile(0.99), "99 %"),
        steps={LATE_S: RED},
    ),
    spread(
        "Latency, all bodies",
        "Histogram of the latency.",
        "s",
        query(grown("remi_relay_latency_seconds_bucket", CAMERA, "le"), "{{le}}", buckets=True),
    ),
    curves(
        "Where the time goes",
        "Mean time of each hop; their sum is the mean latency.",
        "s",
        query(
            f"{rate('remi_hop_latency_seconds_sum', by='hop')} / {rate('remi_hop_latency_seconds_count', by='hop')}",
            "{{hop}}",
        ),
        stacked=True,
    ),
    curves(
        "SLO burn",
        "Burn rate of the error budget for late bodies. Above 14.4 over 1 h and 5 m: page; above 6 over 6 h and 30 m: ticket.",
        "suffix: x",
        *[query(burn(window), window) for window in ("5m", "30m", "1h", "6h")],
        steps={6: ORANGE, 14.4: RED},
    ),
    curves(
        "Inference: time, people at once",
        "Mean time of a run of the pose engine, and mean number of people per run.",
        "s",
        query(f"{rate('remi_inference_seconds_total', DAEMON)} / {rate('remi_inferences_total', DAEMON)}", "time of a run"),
        query(f"{rate('remi_inference_people_total', DAEMON)} / {rate('remi_inferences_total', DAEMON)}", "people at once"),
        right=("people at once", "none"),
    ),
    curves(
        "Filter and its lag",
        "Lag of the filter's output behind its input.",
        "s",
        query(
            f"remi_filter_lag_seconds{{{CAMERA}}} * on (instance, camera) group_left (filter) remi_filter_info{{{CAMERA}}}",
            "{{camera}}: {{filter}}",
        ),
    ),
]

PEOPLE = [
    curves("People", "People in the newest frame.", "none", query(f"remi_people{{{CAMERA}}}", "{{camera}}")),
    curves(
        "Tracks begun",
        "New tracks: people who enter, and identity switches. While the people stay the same, only identity switches.",
        "suffix: /min",
        query(f"60 * {rate('remi_tracks_total', by='camera')}", "{{camera}}"),
    ),
    curves(
        "What the sinks count",
        "Counters of viewers, bridges and the exporter. steps: messages read from the bus.",
        "suffix: /s",
        query(rate("remi_stage_events_total", DAEMON, "stage, camera, event"), "{{stage}} {{camera}}: {{event}}"),
    ),
]

MACHINE = [
    curves(
        "Processor",
        "Cores in use, by stage.",
        "suffix: cores",
        query(rate("remi_stage_cpu_seconds_total", DAEMON, "stage"), "{{stage}}"),
        stacked=True,
    ),
    curves(
        "Memory",
        "Resident memory, by stage.",
        "bytes",
        query(f"sum by (stage) (remi_stage_memory_bytes{{{DAEMON}}})", "{{stage}}"),
        stacked=True,
    ),
    curves(
        "Recorder",
        "Recorded bodies, dropped bodies, disk errors, and bytes written.",
        "suffix: /s",
        query(rate("remi_recorder_bodies_total", DAEMON), "bodies"),
        query(rate("remi_recorder_dropped_total", DAEMON), "dropped"),
        query(rate("remi_recorder_errors_total", DAEMON), "errors"),
        query(rate("remi_recorder_written_bytes_total", DAEMON), "written"),
        right=("written", "Bps"),
    ),
    curves(
        "GPU",
        "GPU utilization, and share of GPU memory in use, by all processes.",
        "percentunit",
        query(f"remi_gpu_utilization_ratio{{{DAEMON}}}", "{{gpu}} at work"),
        query(f"remi_gpu_memory_used_bytes{{{DAEMON}}} / remi_gpu_memory_size_bytes{{{DAEMON}}}", "{{gpu}} memory"),
    ).span(12),
    curves(
        "GPU: temperature, power",
        "As reported by the driver.",
        "celsius",
        query(f"remi_gpu_temperature_celsius{{{DAEMON}}}", "{{gpu}} temperature"),
        query(f"remi_gpu_power_watts{{{DAEMON}}}", "{{gpu}} power"),
        right=(".*power", "watt"),
    ).span(12),
]

ROWS: dict[str, list[Any]] = {
    "At a glance": GLANCE,
    "Cameras": CAMERAS,
    "Latency": LATENCY,
    "People and sinks": PEOPLE,
    "Machine": MACHINE,
}
