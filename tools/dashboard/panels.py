"""What the dashboard asks and shows. docs/operations.md says the same to people."""

from __future__ import annotations

from typing import Any

from dashboard.shapes import GREEN, ORANGE, RED, YELLOW, curves, number, query, spread, states, words

DAEMON = 'instance="$instance"'
CAMERA = f'{DAEMON},camera=~"$camera"'
PACE = "[$__rate_interval]"
FPS = "suffix: fps"
LATE_S = 0.1
"""The limit of the objective; the same in configs/prometheus/remi-stream.rules.yml."""
STATE_NAMES = {3: ("live", GREEN), 2: ("reconnecting", RED), 1: ("starting", YELLOW), 0: ("ended", "gray")}


def rate(name: str, labels: str = CAMERA, by: str = "") -> str:
    """How fast a counter grows, summed, by these labels."""
    return f"sum{f' by ({by})' if by else ''} (rate({name}{{{labels}}}{PACE}))"


def grown(name: str, labels: str, by: str, since: str = PACE) -> str:
    """How much a counter has grown, summed by these labels."""
    return f"sum by ({by}) (increase({name}{{{labels}}}{since}))"


def quantile(share: float) -> str:
    """The latency that this share of the bodies does not exceed."""
    return f"histogram_quantile({share}, {rate('remi_relay_latency_seconds_bucket', by='le')})"


def in_state(state: str) -> str:
    """1 for each camera in this state."""
    return f'sum by (camera) (remi_camera_state{{{CAMERA},state="{state}"}})'


def burn(window: str) -> str:
    """How many times too fast the late bodies come for the objective."""
    return f"instance:remi_late_bodies:ratio_rate{window}{{{DAEMON}}} / 0.01"


GLANCE = [
    number(
        "Cameras live",
        "Cameras that give pictures now.",
        "none",
        query(f'sum(remi_camera_state{{{CAMERA},state="live"}})', "live"),
        steps={0: RED, 1: GREEN},
    ),
    number("Bodies", "Frames whose bodies are published.", FPS, query(rate("remi_frames_published_total"), "bodies")),
    number(
        "Latency, 95 %",
        "From the capture of a frame to the publication of its bodies; 95 % are faster.",
        "s",
        query(quantile(0.95), "p95"),
        steps={LATE_S / 2: YELLOW, LATE_S: RED},
    ),
    number("People", "People in the newest frames.", "none", query(f"sum(remi_people{{{CAMERA}}})", "people")),
    number(
        "SLO burn, 1 h",
        "How many times too fast late bodies come: at 1 exactly as many as the objective allows.",
        "suffix: x",
        query(burn("1h"), "burn"),
        steps={1: YELLOW, 6: ORANGE, 14.4: RED},
    ),
    number(
        "Restarts, 1 h",
        "Processes that were started anew in the last hour.",
        "none",
        query(f"round(sum(increase(remi_stage_restarts_total{{{DAEMON}}}[1h])))", "restarts"),
        steps={1: YELLOW, 5: RED},
    ),
    words(
        "What is running",
        "The version, the detector, the engines and what they run in, the filter of each camera.",
        query(f"remi_build_info{{{DAEMON}}}", "remi-stream {{version}}, detector {{detector}}", newest=True),
        query(f"remi_engine_info{{{DAEMON}}}", "{{engine}} in {{runtime}}", newest=True),
        query(f"remi_filter_info{{{CAMERA}}}", "{{camera}}: filter {{filter}}", newest=True),
    ),
]

CAMERAS = [
    curves(
        "Frames in, bodies out",
        "What a camera captures, and what is published of it. The difference is dropped, for a reason.",
        FPS,
        query(rate("remi_frames_captured_total", by="camera"), "{{camera}} in"),
        query(rate("remi_frames_published_total", by="camera"), "{{camera}} out"),
    ),
    curves(
        "Frame age",
        "Time since the capture of the newest frame whose bodies arrived. It grows while nothing comes.",
        "s",
        query(f"remi_frame_age_seconds{{{CAMERA}}}", "{{camera}}"),
        steps={1: RED},
    ),
    states(
        "Camera state",
        "A camera that is reconnecting is looked for until it is back.",
        STATE_NAMES,
        query(f"3 * {in_state('live')} + 2 * {in_state('reconnecting')} + {in_state('starting')}", "{{camera}}"),
    ),
    curves(
        "Frames dropped, by reason",
        "superseded: a newer frame came first, as it should when pose is slower than the camera. lost_in_crash: a process died.",
        FPS,
        query(rate("remi_frames_dropped_total", by="stage, reason"), "{{stage}}: {{reason}}"),
        stacked=True,
    ),
    curves(
        "Reconnects and time away",
        "The share of the time in which a camera was away, and how often it came back.",
        "percentunit",
        query(rate("remi_camera_outage_seconds_total", by="camera"), "{{camera}} away"),
        query(grown("remi_camera_reconnects_total", CAMERA, "camera"), "{{camera}} came back"),
        right=(".*came back", "none"),
    ),
    curves(
        "Restarts",
        "Processes that died or hung and were started anew.",
        "none",
        query(grown("remi_stage_restarts_total", DAEMON, "stage, camera"), "{{stage}} {{camera}}"),
        bars=True,
    ),
]

LATENCY = [
    curves(
        "Latency: 50, 95, 99 %",
        "From the capture of a frame to the publication of its bodies. The line is the objective's limit.",
        "s",
        query(quantile(0.5), "50 %"),
        query(quantile(0.95), "95 %"),
        query(quantile(0.99), "99 %"),
        steps={LATE_S: RED},
    ),
    spread(
        "Latency, all bodies",
        "How many bodies took how long.",
        "s",
        query(grown("remi_relay_latency_seconds_bucket", CAMERA, "le"), "{{le}}", buckets=True),
    ),
    curves(
        "Where the time goes",
        "The mean time of each hop; together they are the mean latency.",
        "s",
        query(
            f"{rate('remi_hop_latency_seconds_sum', by='hop')} / {rate('remi_hop_latency_seconds_count', by='hop')}",
            "{{hop}}",
        ),
        stacked=True,
    ),
    curves(
        "SLO burn",
        "How many times too fast late bodies come. Over 14.4 in 1 h and in 5 m it is a page, over 6 in 6 h and in 30 m a ticket.",
        "suffix: x",
        *[query(burn(window), window) for window in ("5m", "30m", "1h", "6h")],
        steps={6: ORANGE, 14.4: RED},
    ),
    curves(
        "Inference: time, people at once",
        "The mean time of a run of the pose engine, and how many people it looks at in one run.",
        "s",
        query(f"{rate('remi_inference_seconds_total', DAEMON)} / {rate('remi_inferences_total', DAEMON)}", "time of a run"),
        query(f"{rate('remi_inference_people_total', DAEMON)} / {rate('remi_inferences_total', DAEMON)}", "people at once"),
        right=("people at once", "none"),
    ),
    curves(
        "Filter and its lag",
        "How far people come out of the filter behind what went in.",
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
        "Somebody who comes begins a track; so does a change of identity. While nobody comes or goes it is only those.",
        "suffix: /min",
        query(f"60 * {rate('remi_tracks_total', by='camera')}", "{{camera}}"),
    ),
    curves(
        "What the sinks count",
        "Viewers, bridges, the exporter: by their own words. steps: messages taken from the bus.",
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
        "Bodies that are recorded, those that found no room, errors of the disk, and what is written.",
        "suffix: /s",
        query(rate("remi_recorder_bodies_total", DAEMON), "bodies"),
        query(rate("remi_recorder_dropped_total", DAEMON), "dropped"),
        query(rate("remi_recorder_errors_total", DAEMON), "errors"),
        query(rate("remi_recorder_written_bytes_total", DAEMON), "written"),
        right=("written", "Bps"),
    ),
    curves(
        "GPU",
        "Share of the time in which a GPU was at work, and of its memory that is in use, by all processes.",
        "percentunit",
        query(f"remi_gpu_utilization_ratio{{{DAEMON}}}", "{{gpu}} at work"),
        query(f"remi_gpu_memory_used_bytes{{{DAEMON}}} / remi_gpu_memory_size_bytes{{{DAEMON}}}", "{{gpu}} memory"),
    ).span(12),
    curves(
        "GPU: temperature, power",
        "As the driver tells them.",
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
