"""Configuration of a pipeline, from the command line or a YAML file; validated before any process starts."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from remi_stream.config_rules import describe_error
from remi_stream.errors import UsageError
from remi_stream.paths import PathPart
from remi_stream.permission_hints import empty_mount_hint
from remi_stream.plugins import import_from_string
from remi_stream.sources import find_source, normal_source
from remi_stream.text_files import read_yaml
from remi_stream.transport.address import tcp_address

BASE_PORT = 7700
BUS_SERVICE, WEB_SERVICE, METRICS_SERVICE = 0, 10, 20
"""Port of each service, relative to the daemon's first port; the control socket is behind the bus (`tcp_address`)."""
LOOPBACK_HOST = "127.0.0.1"
"""Address that every service listens on unless configured otherwise."""

Address = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,255}$", description="an address or host name, without a port: 0.0.0.0")
]
HostName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$", description="a host name: camera.example.org")
]
HostAndPort = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,255}:[0-9]{1,5}$", description="HOST:PORT, e.g. 127.0.0.1:5555")
]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
SideLength = Annotated[int, msgspec.Meta(ge=1, le=16384)]
Posture = Literal["any", "upright"]
Sensitivity = Literal["low", "normal", "high"]
Polygon = Annotated[tuple[tuple[float, float], ...], msgspec.Meta(min_length=3)]


class StrictConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the configuration structs; an unknown key is an error that names the key."""


class CameraConfig(StrictConfig, frozen=True, kw_only=True):
    """Configuration of one camera."""

    name: PathPart
    """Name of the camera, in topics, metrics, file names and viewers."""
    source: str
    """rtsp://..., http://..., /dev/video0, a video, a folder of images, "synthetic:" (options after a "?"), or a source of
    bodies: "remi:HOST:PORT", "recording:FOLDER". Packages add more kinds."""
    realtime: bool = True
    """Play a file at its own frame rate, as a camera would."""
    loop: bool = False
    """Restart a file at its end."""
    lossless: bool = False
    """Wait for the consumer instead of dropping frames."""
    frames: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Stop after this number of frames."""
    focal_px: PositiveFloat | None = None
    """Focal length, px; None: hypot(width, height)."""
    calibration: str | None = None
    """OpenCV calibration file with `camera_matrix`."""
    size: tuple[SideLength, SideLength] | None = None
    """Width, height requested from a webcam, px."""
    fps: PositiveFloat | None = None
    """Frame rate of a webcam, folder of images or HTTP camera's snapshots; of a video, instead of its times."""
    max_fps: PositiveFloat | None = None
    """Limit of the frame rate; frames above it are skipped at the camera and get no number."""
    transport: Literal["tcp", "udp"] = "tcp"
    """Transport of RTSP."""
    username: str | None = None
    """User name for a network camera."""
    password_env: str | None = None
    """Name of the environment variable that holds the password of a network camera."""
    password_file: str | None = None
    """File that holds the password of a network camera."""
    give_up_after_s: PositiveFloat | None = None
    """Fail after this time without an image; None: reconnect for ever."""
    mirror: bool = False
    """Mirror the image, after rotation."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Rotation, degrees clockwise."""
    masks: tuple[Polygon, ...] = ()
    """Privacy masks: polygons [[x, y], ...], px of the upright image, blackened before any other processing."""
    engine: str | None = None
    """Pose engine of this camera; None: the pipeline's."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "source", normal_source(self.source))
        if self.focal_px and self.calibration:
            raise ValueError("`focal_px` and `calibration` both set the focal length; keep one")
        if self.password_env and self.password_file:
            raise ValueError("`password_env` and `password_file` both set the password; keep one")


class Config(StrictConfig, frozen=True, kw_only=True):
    """Configuration of a whole pipeline."""

    name: PathPart = "default"
    """Name of the daemon; each name has its own ports and run folder."""
    cameras: Annotated[tuple[CameraConfig, ...], msgspec.Meta(min_length=1)]
    """The cameras."""
    engine: str = "blazepose"
    """Pose engine, as listed by `remi-stream engines`."""
    engine_options: dict[str, float] = {}
    """Options of `engine`; no other engine gets them."""
    detector: str = "blazepose"
    """Person detector, as listed by `remi-stream engines`."""
    max_people: Annotated[int, msgspec.Meta(ge=1, le=32)] = 4
    """Maximum number of people tracked per camera."""
    subject: Literal["largest", "nearest"] = "largest"
    """Subject selection when there are more than `max_people`: largest in the image, or nearest to the camera."""
    posture: Posture = "any"
    """Posture of the people searched for: any, also lying, bent over or upside down, or upright only, which takes less time."""
    sensitivity: Sensitivity = "normal"
    """How readily BlazePose takes what it sees for a person: low shows fewer bodies that are none, high misses fewer people."""
    boxes: Literal["tracked", "truth"] = "tracked"
    """Bounding boxes from detector and tracker, or from the ground truth of the sample clip."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    """Threads of each pose engine; None: the engine manifest's."""
    metrics: bool = True
    """Serve Prometheus metrics and health checks."""
    viewer: Literal["none", "web"] = "none"
    """Viewer to start; its link is printed."""
    bind: Address | None = None
    """Listen address of the web viewer; None: loopback. Its link has a token in either case."""
    viewer_hosts: tuple[HostName, ...] = ()
    """Further names by which viewer and metrics are opened, e.g. that of a reverse proxy. This machine's own need no mention."""
    metrics_bind: Address | None = None
    """Listen address of metrics and health checks, without authentication; None: loopback."""
    bus_bind: str | None = None
    """ADDRESS[:PORT] on which other machines reach the bus, and control on the next port, with keys; None: this user only."""
    bus_open: bool = False
    """Let anyone who reaches `bus_bind` read bodies and states, without keys, previews and control."""
    record: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """Folder for recordings; None: no recorder."""
    record_video: bool = False
    """Record the preview images as well."""
    display: bool = False
    """Open a window."""
    filter: str = "one_euro"
    """Filter that smooths people over time."""
    filter_options: dict[str, float] = {}
    """Options of `filter` that replace its defaults."""
    sinks: tuple[str, ...] = ()
    """Sinks that other packages add by entry point."""
    measurements: Annotated[str, msgspec.Meta(min_length=1)] = "measurements"
    """Folder for measurements."""
    remi_relay: HostAndPort | None = None
    """HOST:PORT of a relay of [REMI](../use/remi.md) to send bodies to."""
    duration_s: PositiveFloat | None = None
    """Stop after this time."""
    log_format: Literal["text", "json"] = "text"
    """Format of log lines."""

    def port(self, service: int) -> int:
        """TCP port of one of this daemon's services."""
        return daemon_port(self.name, service)

    @property
    def camera_names(self) -> list[str]:
        """Names of the cameras, in the order of the file."""
        return [camera.name for camera in self.cameras]

    @property
    def engine_by_camera(self) -> dict[str, str]:
        """Map from camera name to pose engine, for the cameras that deliver images."""
        return {each.name: each.engine or self.engine for each in self.cameras if not find_source(each.source).gives_bodies}

    @property
    def body_sources(self) -> dict[str, str]:
        """Map from camera name to the origin of its bodies: pose engine, or kind of source (remi, recording)."""
        return {each.name: self.engine_by_camera.get(each.name) or find_source(each.source).name for each in self.cameras}

    @property
    def engine_names(self) -> str:
        """Comma-separated engines in use, without duplicates."""
        return ", ".join(dict.fromkeys((self.engine_by_camera or self.body_sources).values()))

    def options_for_engine(self, engine: str) -> dict[str, float]:
        """Options of an engine: `engine_options` for the pipeline's engine, none for others."""
        return self.engine_options if engine == self.engine else {}

    def camera(self, name: str) -> CameraConfig:
        """Look up a camera by name."""
        return next(camera for camera in self.cameras if camera.name == name)


def daemon_port(name: str, service: int) -> int:
    """TCP port of a service: 7700 + service, shifted by a hash of the daemon's name unless that is "default"."""
    # 40 ports per name in 500 slots above 7800: two names collide with a chance of 1 in 500, and all ports stay below 32768,
    # where Linux's ephemeral ports begin. crc32, because hash() of a string differs from process to process.
    shift = 0 if name == "default" else 100 + 40 * (zlib.crc32(name.encode()) % 500)
    return BASE_PORT + shift + service


def parse_config(values: dict[str, Any]) -> Config:
    """Validate plain values as a Config. Raises UsageError with the key, the value got and the values allowed."""
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise UsageError(f"Configuration: {describe_error(error, values, Config)}") from None
    if config.bus_bind is not None:
        tcp_address(config.bus_bind, config.port(BUS_SERVICE), "Configuration: `bus_bind`")
    elif config.bus_open:
        raise UsageError("Configuration: `bus_open` needs `bus_bind`, the address that is to be open: --bus-bind ADDRESS")
    names = [camera.name for camera in config.cameras]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"Configuration: two cameras are named {name!r}; give each its own name")
    # Options for an engine that no camera uses are most likely meant for another one.
    if config.engine_options and config.engine not in config.engine_by_camera.values():
        used = ", ".join(sorted(set(config.engine_by_camera.values())))
        raise UsageError(f"Configuration: `engine_options` are for engine {config.engine!r}, but the cameras use {used}")
    return config


def check_source(camera: CameraConfig) -> None:
    """Raise UsageError if the name or the options of a camera's source are invalid, or a setting does not apply to it."""
    kind = find_source(camera.source)
    default = CameraConfig(name=camera.name, source=camera.source)
    for key in camera.__struct_fields__:
        if kind.settings is not None and key not in kind.settings and getattr(camera, key) != getattr(default, key):
            allowed = ", ".join(kind.settings)
            raise UsageError(f"Camera {camera.name!r}: `{key}` does not apply to a {kind.name} source; allowed: {allowed}")
    import_from_string(kind.check or kind.factory)(camera)


def read_config_file(path: Path) -> dict[str, Any]:
    """Read a pipeline file (YAML). Raises UsageError if it is unreadable or not a map."""
    try:
        values = read_yaml(path)
    except OSError as error:
        why = f"{error.strerror}. Give a pipeline file, e.g. configs/webcam.yaml{empty_mount_hint(path)}"
        raise UsageError(f"Cannot read {path}: {why}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not YAML, or cannot be used: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} must hold a map with `cameras:`, got {type(values).__name__}")
    return values
