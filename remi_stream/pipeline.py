"""Table of stages: what each reads and writes, when it runs, its timeouts, its priority.

The supervisor starts, watches and stops stages by this table, in the order of its rows: capture stops first, sinks last.
No code asks for a row by its name: what is special about a stage is a field of its row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from remi_stream.config import CameraConfig, Config
from remi_stream.errors import unknown_name_error
from remi_stream.plugins import entry_points
from remi_stream.sources import find_source
from remi_stream.topics import BUS_TOPICS, LINK_TOPICS

SINK_GROUP = "remi_stream.sinks"
"""Entry-point group of the sinks of other packages; a pipeline runs those that its `sinks` names."""

SINK_SILENT_S = 4.0
"""Timeout without a heartbeat of a sink of low priority, s: on a busy machine it may get no CPU time; no body is lost."""


class StageRow(NamedTuple):
    """One stage."""

    name: str
    factory: str
    """Factory "module:function" that creates the stage from its StageSpec."""
    reads: tuple[str, ...] = ()
    """Topics of LINK_TOPICS or BUS_TOPICS."""
    writes: tuple[str, ...] = ()
    """Topics of LINK_TOPICS or BUS_TOPICS."""
    is_per_camera: bool = False
    """Run one process per camera: the stage is a source."""
    enabled_if: Callable[[Config], bool] = lambda config: True
    """Whether a pipeline with this configuration has the stage."""
    preview_if: Callable[[Config], bool] = lambda config: True
    """Whether a sink that reads `preview` subscribes to it: previews cost CPU time."""
    on_bus: bool = False
    """Bind the bus and publish there, instead of sending over links."""
    has_control: bool = False
    """Bind the control socket and answer its requests."""
    outlives_supervisor: bool = False
    """If the supervisor dies, remove its run folder before ending; other stages are killed by the kernel at once."""
    counts_drops: bool = True
    """Count a frame that this stage does not take as dropped (previews never are)."""
    counters: Literal["none", "pose", "recorder", "events"] = "none"
    """Metrics that the counts of its heartbeats become, beside those of every stage; events: `remi_stage_events_total`."""
    preload: tuple[str, ...] = ()
    """Modules that a fork server imports, which then forks the processes of a stage per camera; none starts a thread."""
    reads_ahead: bool = False
    """Request the next camera's frame before it processes one, if it serves several cameras: it then never waits for the
    transfer, and a frame may wait for it as long as one step takes."""
    restart_policy: Literal["back_off", "give_up_at_start", "give_up"] = "back_off"
    """What failures of the stage do. back_off: it is tried again for ever, every 30 s at most, and the others go on; if no camera
    can start, the daemon ends. give_up_at_start: the same, but an error for the user before it was ever ready ends the daemon.
    give_up: five deaths in a minute end it, too."""
    start_s: float = 30.0
    """Timeout from start to ready, s."""
    silent_s: float = 1.5
    """Timeout without a heartbeat, s; then the process is killed."""
    stop_s: float = 3.0
    """Timeout from SIGTERM to SIGKILL, s."""
    nice: int = 0
    """Niceness of the process."""
    reader_nice: Callable[[Config], int] = lambda config: 0
    """Niceness of a source's threads that read and decode, on top of `nice`; the thread that sends is not among them."""
    own_session: bool = False
    """Run in a session of its own: with Linux's autogroup scheduling, the default of most desktops, each session gets an equal
    share of the processor, and the niceness counts only within it."""

    @property
    def is_source(self) -> bool:
        """Whether the stage is a source: it has no input link, but may subscribe to the bus."""
        return self.is_per_camera

    @property
    def is_sink(self) -> bool:
        """Whether the stage is a sink: it reads only the bus and writes nothing."""
        return not self.writes and all(topic in BUS_TOPICS for topic in self.reads)

    def topics_by_type(self) -> dict[type, list[str]]:
        """Topics that it writes, by the type of their messages."""
        types = {**BUS_TOPICS, **{name: topic.message_type for name, topic in LINK_TOPICS.items()}}
        topics: dict[type, list[str]] = {}
        for topic in self.writes:
            topics.setdefault(types[topic], []).append(topic)
        return topics


def needs_pose(config: Config) -> bool:
    """Whether any camera delivers images."""
    return any(has_images(camera) for camera in config.cameras)


def decoding_nice(config: Config) -> int:
    """Niceness of decoding, 0 to 15: that of one camera delays nothing, that of many would starve the pose stage."""
    return min(15, 5 * (len(config.cameras) - 1))


STAGES: tuple[StageRow, ...] = (
    StageRow(
        name="capture",
        factory="remi_stream.capture.stage:make_capture_stage",
        writes=("frames", "preview", "cameras"),
        is_per_camera=True,
        reader_nice=decoding_nice,
        preload=("remi_stream.process.source_loop", "remi_stream.capture.stage", "remi_stream.capture.rtsp"),
    ),
    StageRow(
        name="remi_source",
        factory="remi_stream.remi.source:make_remi_stage",
        writes=("poses", "cameras"),
        is_per_camera=True,
        counters="events",
    ),
    StageRow(
        name="replay",
        factory="remi_stream.recordings.playback:make_playback_stage",
        reads=("playback_command",),
        writes=("poses", "preview", "cameras"),
        is_per_camera=True,
    ),
    StageRow(
        name="detect",
        factory="remi_stream.detect.stage:make_detect_stage",
        reads=("frames", "searches"),
        writes=("detections",),
        enabled_if=needs_pose,
        counts_drops=False,
        # without it no person is ever found, so an error at the start ends the daemon; later, pose goes on
        restart_policy="give_up_at_start",
        nice=5,  # off the critical path: pose tracks people without it
        silent_s=3.0,
    ),
    StageRow(
        name="pose",
        factory="remi_stream.pose.stage:make_pose_stage",
        reads=("detections", "frames"),
        writes=("poses", "searches"),
        enabled_if=needs_pose,
        counters="pose",
        reads_ahead=True,
        own_session=True,
        restart_policy="give_up",
        start_s=60.0,  # it loads and compiles the networks
    ),
    StageRow(
        name="relay",
        factory="remi_stream.relay.stage:make_relay_stage",
        reads=("poses", "cameras", "health", "preview"),
        writes=("bodies", "preview", "camera", "health", "playback_command"),
        on_bus=True,
        has_control=True,
        counters="events",
        outlives_supervisor=True,
        restart_policy="give_up",
    ),
    StageRow(
        name="web",
        factory="remi_stream.sinks.web.stage:make_web_stage",
        reads=("bodies", "camera", "health", "preview"),
        enabled_if=lambda config: config.viewer == "web",
        counters="events",
        nice=5,
        silent_s=SINK_SILENT_S,
    ),
    StageRow(
        name="remote_bus",
        factory="remi_stream.sinks.remote_bus:make_remote_bus_stage",
        reads=("bodies", "camera", "health", "preview"),
        enabled_if=lambda config: config.bus_bind is not None,
        preview_if=lambda config: False,  # it subscribes when a client wants some
        restart_policy="give_up_at_start",
        counters="events",
    ),
    StageRow(
        name="exporter",
        factory="remi_stream.sinks.exporter:make_exporter_stage",
        reads=("bodies", "camera", "health"),
        enabled_if=lambda config: config.metrics,
        counters="events",
        nice=5,
        silent_s=SINK_SILENT_S,
    ),
    StageRow(
        name="recorder",
        factory="remi_stream.sinks.recorder:make_recorder_stage",
        reads=("bodies", "camera", "health", "preview"),
        enabled_if=lambda config: config.record is not None,
        preview_if=lambda config: config.record_video,
        counters="recorder",
        restart_policy="give_up_at_start",  # a run without the recording that was asked for could not be repeated
        stop_s=60.0,  # it writes what is queued and the final files
    ),
    StageRow(
        name="display",
        factory="remi_stream.sinks.display.stage:make_display_stage",
        reads=("bodies", "camera", "health", "preview"),
        enabled_if=lambda config: config.display,
        restart_policy="give_up_at_start",
        counters="events",
        nice=5,
        silent_s=SINK_SILENT_S,
    ),
    StageRow(
        name="remi",
        factory="remi_stream.remi.sink:make_remi_stage",
        reads=("bodies",),
        enabled_if=lambda config: config.remi_relay is not None,
        counters="events",
    ),
)


def pipeline_processes(config: Config) -> list[tuple[StageRow, str]]:
    """Processes of a pipeline as (row, camera); camera is "" for a stage that serves all cameras."""
    rows = [row for row in STAGES if row.enabled_if(config)] + [plugin_sink(name) for name in config.sinks]
    return [(row, camera) for row in rows for camera in (cameras_of_stage(row, config) if row.is_per_camera else [""])]


def cameras_of_stage(row: StageRow, config: Config) -> list[str]:
    """Names of the cameras that a per-camera stage serves, by the kind of their source."""
    return [camera.name for camera in config.cameras if find_source(camera.source).stage == row.name]


def has_images(camera: CameraConfig) -> bool:
    """Whether a camera delivers images rather than bodies."""
    return not find_source(camera.source).gives_bodies


def find_stage(name: str) -> StageRow:
    """Look up a stage by name: a row of the table, or the sink of another package. Raises UsageError."""
    return next((row for row in STAGES if row.name == name), None) or plugin_sink(name)


def plugin_sink(name: str) -> StageRow:
    """Row of a sink that another package adds by entry point. Raises UsageError if there is none."""
    factories = {key: value for key, value in entry_points(SINK_GROUP).items() if all(row.name != key for row in STAGES)}
    if name not in factories:
        raise unknown_name_error("sink", name, factories)
    return StageRow(
        name=name,
        factory=factories[name],
        reads=("bodies", "camera", "health"),
        counters="events",
        nice=5,
        silent_s=SINK_SILENT_S,
    )


def link_consumers(topic: str) -> list[StageRow]:
    """Stages that consume this topic over a link."""
    return [row for row in STAGES if topic in row.reads and not (row.is_source or row.is_sink)]


def subscribed_topics(row: StageRow, config: Config) -> list[str]:
    """Bus topics that a sink subscribes to."""
    return [topic for topic in row.reads if topic != "preview" or row.preview_if(config)]
