"""THE table of stages: what each reads and writes, and how long it may take to start or stay silent.

The supervisor starts, watches and stops them from this table; capture is stopped first, sinks last (the order of the rows).
"""

from __future__ import annotations

from typing import NamedTuple

from remi_stream.capture.source import kind_of
from remi_stream.config import Camera, Config
from remi_stream.topics import BUS, TOPICS


class Row(NamedTuple):
    """One stage. make: "module:function" that makes it from its order. reads, writes: topics, of TOPICS or of the BUS.

    per_camera: one process for each camera. booked: a frame that it does not take is counted as dropped (but a
    preview never is).
    start_s: until it is ready. silent_s: without a heartbeat before it is killed. stop_s: from the request to stop until it is
    killed. nice: its priority.
    """

    name: str
    make: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    per_camera: bool = False
    booked: bool = True
    start_s: float = 30.0
    silent_s: float = 1.5
    stop_s: float = 3.0
    nice: int = 0


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
"""The kinds of sources that give bodies at once, and the rows that are for them; the others give pictures."""


def rows(config: Config) -> list[tuple[Row, str]]:
    """The processes of a pipeline, as (row, camera); camera is "" where a process serves all."""
    sees = any(gives_pictures(camera) for camera in config.cameras)
    asked_for = {
        "detect": sees,
        "pose": sees,
        "exporter": config.metrics,
        "web": config.viewer == "web",
        "recorder": config.record is not None,
        "display": config.display,
        "remi": config.remi_relay is not None,
    }
    wanted = [row for row in ROWS if asked_for.get(row.name, True)]
    return [(row, camera) for row in wanted for camera in (sources(row, config) if row.per_camera else [""])]


def sources(row: Row, config: Config) -> list[str]:
    """The cameras that a row of one process for each camera is for, by the kind of their source."""
    return [camera.name for camera in config.cameras if GIVE_BODIES.get(kind_of(camera.source), "capture") == row.name]


def gives_pictures(camera: Camera) -> bool:
    """Whether a camera gives pictures, and not bodies at once."""
    return kind_of(camera.source) not in GIVE_BODIES


def row_of(name: str) -> Row:
    """The row of a stage."""
    return next(row for row in ROWS if row.name == name)


def readers(topic: str) -> list[Row]:
    """The stages that bind a link for this topic."""
    return [row for row in ROWS if topic in row.reads and not listens(row)]


def is_source(row: Row) -> bool:
    """Whether a stage is a camera, or stands for one: nothing reaches it by a link, but it may listen to the bus."""
    return row.per_camera


def listens(row: Row) -> bool:
    """Whether a stage is a sink: it reads the bus only, and writes nothing."""
    return not row.writes and all(topic in BUS for topic in row.reads)


def heard_by(row: Row, config: Config) -> list[str]:
    """The topics that a sink subscribes to: pictures cost, so the recorder takes them only if it is to record them."""
    return [topic for topic in row.reads if topic != "preview" or row.name != "recorder" or config.record_video]


def topics_of(row: Row, message: object) -> list[str]:
    """Which of the row's topics a message goes to."""
    kinds = {**BUS, **{name: topic.kind for name, topic in TOPICS.items()}}
    return [name for name in row.writes if isinstance(message, kinds[name])]
