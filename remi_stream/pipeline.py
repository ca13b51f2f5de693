"""Table of stages: topics that each reads and writes, timeouts, priority.

The supervisor starts, watches and stops stages by this table, in the order of its rows: capture stops first, sinks last.
"""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.capture.source import source_kind
from remi_stream.config import CameraConfig, Config
from remi_stream.topics import BUS_TOPICS, LINK_TOPICS


class StageRow(NamedTuple):
    """One stage."""

    name: str
    factory: str
    """Factory "module:function" that creates the stage from its StageSpec."""
    reads: tuple[str, ...] = ()
    """Topics of TOPICS or BUS."""
    writes: tuple[str, ...] = ()
    """Topics of TOPICS or BUS."""
    is_per_camera: bool = False
    """Run one process per camera."""
    counts_drops: bool = True
    """Count a frame that this stage does not take as dropped (previews never are)."""
    start_s: float = 30.0
    """Timeout from start to ready, s."""
    silent_s: float = 1.5
    """Timeout without a heartbeat, s; then the process is killed."""
    stop_s: float = 3.0
    """Timeout from SIGTERM to SIGKILL, s."""
    nice: int = 0
    """Niceness of the process."""


STAGES: tuple[StageRow, ...] = (
    StageRow(
        "capture", "remi_stream.capture.stage:make_capture_stage", writes=("frames", "preview", "cameras"), is_per_camera=True
    ),
    StageRow("remi_source", "remi_stream.remi.source:make_remi_stage", writes=("poses", "cameras"), is_per_camera=True),
    StageRow(
        "replay",
        "remi_stream.recordings.playback:make_playback_stage",
        ("playback_command",),
        ("poses", "preview", "cameras"),
        is_per_camera=True,
    ),
    StageRow(
        "detect",
        "remi_stream.detect.stage:make_detect_stage",
        ("frames", "searches"),
        ("detections",),
        counts_drops=False,
        nice=5,
    ),
    StageRow("pose", "remi_stream.pose.stage:make_pose_stage", ("detections", "frames"), ("poses", "searches"), start_s=60.0),
    StageRow(
        "relay",
        "remi_stream.relay.stage:make_relay_stage",
        reads=("poses", "cameras", "health", "preview"),
        writes=("bodies", "preview", "camera", "health", "playback_command"),
    ),
    StageRow("web", "remi_stream.sinks.web.stage:make_web_stage", ("bodies", "camera", "health", "preview"), nice=5),
    StageRow("exporter", "remi_stream.sinks.exporter:make_exporter_stage", ("bodies", "camera", "health"), nice=5),
    StageRow(
        "recorder", "remi_stream.sinks.recorder:make_recorder_stage", ("bodies", "camera", "health", "preview"), stop_s=60.0
    ),
    StageRow("display", "remi_stream.sinks.display.stage:make_display_stage", ("bodies", "camera", "health", "preview"), nice=5),
    StageRow("remi", "remi_stream.remi.sink:make_remi_stage", ("bodies",)),
)


BODY_SOURCE_STAGES = {"remi": "remi_source", "recording": "replay"}
"""Stage for each kind of source that delivers bodies; all other kinds deliver images to `capture`."""


def pipeline_processes(config: Config) -> list[tuple[StageRow, str]]:
    """Processes of a pipeline as (row, camera); camera is "" for a stage that serves all cameras."""
    needs_pose = any(has_images(camera) for camera in config.cameras)
    enabled = {
        "detect": needs_pose,
        "pose": needs_pose,
        "exporter": config.metrics,
        "web": config.viewer == "web",
        "recorder": config.record is not None,
        "display": config.display,
        "remi": config.remi_relay is not None,
    }
    wanted = [row for row in STAGES if enabled.get(row.name, True)]
    return [(row, camera) for row in wanted for camera in (cameras_of_stage(row, config) if row.is_per_camera else [""])]


def cameras_of_stage(row: StageRow, config: Config) -> list[str]:
    """Names of the cameras that a per-camera stage serves, by the kind of their source."""
    return [camera.name for camera in config.cameras if BODY_SOURCE_STAGES.get(source_kind(camera.source), "capture") == row.name]


def has_images(camera: CameraConfig) -> bool:
    """Whether a camera delivers images rather than bodies."""
    return source_kind(camera.source) not in BODY_SOURCE_STAGES


def find_stage(name: str) -> StageRow:
    """Look up a stage by name."""
    return next(row for row in STAGES if row.name == name)


def link_consumers(topic: str) -> list[StageRow]:
    """Stages that consume this topic over a link."""
    return [row for row in STAGES if topic in row.reads and not is_sink_stage(row)]


def is_source_stage(row: StageRow) -> bool:
    """Whether a stage is a source: it has no input link, but may subscribe to the bus."""
    return row.is_per_camera


def is_sink_stage(row: StageRow) -> bool:
    """Whether a stage is a sink: it reads only the bus and writes nothing."""
    return not row.writes and all(topic in BUS_TOPICS for topic in row.reads)


def subscribed_topics(row: StageRow, config: Config) -> list[str]:
    """Bus topics that a sink subscribes to; the recorder takes previews only with `record_video`, since they cost CPU time."""
    return [topic for topic in row.reads if topic != "preview" or row.name != "recorder" or config.record_video]


def topics_for_message(row: StageRow, message: object) -> list[str]:
    """Topics of a stage that a message belongs to, by its type."""
    kinds = {**BUS_TOPICS, **{name: topic.message_type for name, topic in LINK_TOPICS.items()}}
    return [name for name in row.writes if isinstance(message, kinds[name])]
