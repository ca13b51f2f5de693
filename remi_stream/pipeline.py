"""Table of stages: topics that each reads and writes, timeouts, priority.

The supervisor starts, watches and stops stages by this table, in the order of its rows: capture stops first, sinks last.
"""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.capture.source import kind_of
from remi_stream.config import Camera, Config
from remi_stream.topics import BUS, TOPICS


class Row(NamedTuple):
    """One stage."""

    name: str
    make: str
    """Factory "module:function" that creates the stage from its StageSpec."""
    reads: tuple[str, ...] = ()
    """Topics of TOPICS or BUS."""
    writes: tuple[str, ...] = ()
    """Topics of TOPICS or BUS."""
    per_camera: bool = False
    """Run one process per camera."""
    booked: bool = True
    """Count a frame that this stage does not take as dropped (previews never are)."""
    start_s: float = 30.0
    """Timeout from start to ready, s."""
    silent_s: float = 1.5
    """Timeout without a heartbeat, s; then the process is killed."""
    stop_s: float = 3.0
    """Timeout from SIGTERM to SIGKILL, s."""
    nice: int = 0
    """Niceness of the process."""


ROWS: tuple[Row, ...] = (
    Row("capture", "remi_stream.capture.stage:make", writes=("frames", "preview", "cameras"), per_camera=True),
    Row("remi_source", "remi_stream.capture.remi:make", writes=("poses", "cameras"), per_camera=True),
    Row("replay", "remi_stream.capture.replay:make", ("wish",), ("poses", "preview", "cameras"), per_camera=True),
    Row("detect", "remi_stream.detect.stage:make", ("frames", "searches"), ("detections",), booked=False, nice=5),
    Row("pose", "remi_stream.pose.stage:make", ("detections", "frames"), ("poses", "searches"), start_s=60.0),
    Row(
        "relay",
        "remi_stream.relay.stage:make",
        reads=("poses", "cameras", "health", "preview"),
        writes=("bodies", "preview", "camera", "health", "wish"),
    ),
    Row("web", "remi_stream.sinks.web.stage:make", ("bodies", "camera", "health", "preview"), nice=5),
    Row("exporter", "remi_stream.sinks.exporter:make", ("bodies", "camera", "health"), nice=5),
    Row("recorder", "remi_stream.sinks.recorder:make", ("bodies", "camera", "health", "preview"), stop_s=60.0),
    Row("display", "remi_stream.sinks.display.stage:make", ("bodies", "camera", "health", "preview"), nice=5),
    Row("remi", "remi_stream.sinks.remi_tcp:make", ("bodies",)),
)


GIVE_BODIES = {"remi": "remi_source", "recording": "replay"}
"""Stage for each kind of source that delivers bodies; all other kinds deliver images to `capture`."""


def rows(config: Config) -> list[tuple[Row, str]]:
    """Processes of a pipeline as (row, camera); camera is "" for a stage that serves all cameras."""
    needs_pose = any(gives_pictures(camera) for camera in config.cameras)
    enabled = {
        "detect": needs_pose,
        "pose": needs_pose,
        "exporter": config.metrics,
        "web": config.viewer == "web",
        "recorder": config.record is not None,
        "display": config.display,
        "remi": config.remi_relay is not None,
    }
    wanted = [row for row in ROWS if enabled.get(row.name, True)]
    return [(row, camera) for row in wanted for camera in (sources(row, config) if row.per_camera else [""])]


def sources(row: Row, config: Config) -> list[str]:
    """Names of the cameras that a per-camera stage serves, by the kind of their source."""
    return [camera.name for camera in config.cameras if GIVE_BODIES.get(kind_of(camera.source), "capture") == row.name]


def gives_pictures(camera: Camera) -> bool:
    """Whether a camera delivers images rather than bodies."""
    return kind_of(camera.source) not in GIVE_BODIES


def row_of(name: str) -> Row:
    """Look up a stage by name."""
    return next(row for row in ROWS if row.name == name)


def readers(topic: str) -> list[Row]:
    """Stages that consume this topic over a link."""
    return [row for row in ROWS if topic in row.reads and not listens(row)]


def is_source(row: Row) -> bool:
    """Whether a stage is a source: it has no input link, but may subscribe to the bus."""
    return row.per_camera


def listens(row: Row) -> bool:
    """Whether a stage is a sink: it reads only the bus and writes nothing."""
    return not row.writes and all(topic in BUS for topic in row.reads)


def heard_by(row: Row, config: Config) -> list[str]:
    """Bus topics that a sink subscribes to; the recorder takes previews only with `record_video`, since they cost CPU time."""
    return [topic for topic in row.reads if topic != "preview" or row.name != "recorder" or config.record_video]


def topics_of(row: Row, message: object) -> list[str]:
    """Topics of a stage that a message belongs to, by its type."""
    kinds = {**BUS, **{name: topic.kind for name, topic in TOPICS.items()}}
    return [name for name in row.writes if isinstance(message, kinds[name])]
