"""What a pipeline is made of: the command line or a YAML file, checked before anything starts."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from remi_stream.errors import UsageError
from remi_stream.mounts import why_empty

FIRST_PORT = 7700
BUS, CONTROL, WEB, METRICS = 0, 1, 10, 20
OF_BODIES = ("remi:", "recording:")
"""What sources begin with that give bodies at once, and no pictures to find them in."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
Address = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,255}$")]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Sides = Annotated[int, msgspec.Meta(ge=1, le=16384)]
Polygon = Annotated[tuple[tuple[float, float], ...], msgspec.Meta(min_length=3)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration; a key that it does not know is an error that names the key."""


class Camera(Strict, frozen=True, kw_only=True):
    """One camera. source: rtsp://..., /dev/video0, a file, a folder of pictures, or "synthetic:" with options after a "?".
    "remi:HOST:PORT" and "recording:FOLDER" give bodies at once.

    realtime: play a file as a camera would. loop: start a file again at its end. lossless: every frame is waited for.
    frames: end after so many. focal_px: focal length, px (None: hypot of the picture's sides).
    calibration: an OpenCV file with camera_matrix. size, fps: asked of a webcam; fps also sets a folder's pace.
    max_fps: more frames are not taken. transport, username, password_env (a variable's name), password_file: of RTSP.
    give_up_after_s: without a picture (None: never). mirror, rotate: degrees clockwise, before mirroring.
    masks: polygons [[x, y], ...] px of the upright picture, which nobody sees. engine: instead of the pipeline's.
    """

    name: Name
    source: str
    realtime: bool = True
    loop: bool = False
    lossless: bool = False
    frames: Annotated[int, msgspec.Meta(ge=1)] | None = None
    focal_px: Positive | None = None
    calibration: str | None = None
    size: tuple[Sides, Sides] | None = None
    fps: Positive | None = None
    max_fps: Positive | None = None
    transport: str = "tcp"
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    give_up_after_s: Positive | None = None
    mirror: bool = False
    rotate: int = 0
    masks: tuple[Polygon, ...] = ()
    engine: str | None = None

    def __post_init__(self) -> None:
        if self.rotate not in (0, 90, 180, 270):
            raise ValueError(f"`rotate` must be 0, 90, 180 or 270, got {self.rotate}")
        if self.transport not in ("tcp", "udp"):
            raise ValueError(f"`transport` must be tcp or udp, got {self.transport}")
        if self.focal_px and self.calibration:
            raise ValueError("`focal_px` and `calibration` both tell the focal length; keep one")
        if self.password_env and self.password_file:
            raise ValueError("`password_env` and `password_file` both tell the password; keep one")


class Config(Strict, frozen=True, kw_only=True):
    """A whole pipeline. name: which daemon this is; another name has other ports.

    engine, detector: names as `remi-stream engines` lists them. engine_options: passed to the adapter of this engine.
    subject: who is followed of more than max_people, by size in the picture or by distance from the camera.
    boxes: "truth" takes the people of the sample clip from its truth, instead of finding and following them.
    threads: of each pose engine (None: what its manifest says). duration_s: end by itself.
    bind: the address that the viewer listens on, with a token (None: loopback, without). metrics_bind: the address that metrics
    and health are served on, to everybody (None: loopback).
    record: a folder to record into, record_video: the preview pictures too. display: open a window.
    filter: what smooths people over time, filter_options: instead of its defaults. measurements: the folder that measurements
    are written to. remi_relay: HOST:PORT of a REMI relay that is fed.
    """

    name: Name = "default"
    cameras: Annotated[tuple[Camera, ...], msgspec.Meta(min_length=1)]
    engine: str = "blazepose"
    engine_options: dict[str, float] = {}
    detector: str = "blazepose"
    max_people: Annotated[int, msgspec.Meta(ge=1, le=32)] = 4
    subject: Literal["largest", "nearest"] = "largest"
    boxes: Literal["tracked", "truth"] = "tracked"
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    metrics: bool = True
    viewer: Literal["none", "web"] = "none"
    bind: Address | None = None
    metrics_bind: Address | None = None
    record: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    record_video: bool = False
    display: bool = False
    filter: str = "one_euro"
    filter_options: dict[str, float] = {}
    measurements: Annotated[str, msgspec.Meta(min_length=1)] = "measurements"
    remi_relay: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,255}:[0-9]{1,5}$")] | None = None
    duration_s: Positive | None = None
    log_format: Annotated[str, msgspec.Meta(pattern="^(text|json)$")] = "text"

    def port(self, service: int) -> int:
        """The port of one of this daemon's services on 127.0.0.1."""
        return port(self.name, service)

    @property
    def engines(self) -> dict[str, str]:
        """The engine of each camera that gives pictures, by the camera's name."""
        return {each.name: each.engine or self.engine for each in self.cameras if not each.source.startswith(OF_BODIES)}

    @property
    def makers(self) -> dict[str, str]:
        """What makes the bodies of each camera: its engine, or the kind of source that gives them."""
        return {each.name: self.engines.get(each.name) or each.source.partition(":")[0] for each in self.cameras}

    @property
    def engine_names(self) -> str:
        """The engines that its cameras use, each once."""
        return ", ".join(dict.fromkeys((self.engines or self.makers).values()))

    def options_of(self, engine: str) -> dict[str, float]:
        """What is passed to the adapter of an engine; `engine_options` are for the pipeline's own."""
        return self.engine_options if engine == self.engine else {}

    def camera(self, name: str) -> Camera:
        """The camera of this name."""
        return next(camera for camera in self.cameras if camera.name == name)


def port(name: str, service: int) -> int:
    """The port of a service of the daemon of this name: 7700 + service, shifted for other names."""
    shift = 0 if name == "default" else 100 + 40 * (zlib.crc32(name.encode()) % 500)
    return FIRST_PORT + shift + service


def check(values: dict[str, Any]) -> Config:
    """Make a configuration of plain values. Raises UsageError that names the key, what was got and what is allowed."""
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise UsageError(f"Configuration: {error}{_allowed(str(error))}") from None
    names = [camera.name for camera in config.cameras]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"Configuration: two cameras are named {name!r}; give each its own name")
    if config.engine_options and config.engine not in config.engines.values():
        used = ", ".join(sorted(set(config.engines.values())))
        raise UsageError(f"Configuration: `engine_options` are for engine {config.engine!r}, but the cameras use {used}")
    return config


def read(path: Path) -> dict[str, Any]:
    """Read a pipeline file (YAML). Raises UsageError when it is not one."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        why = f"{error.strerror}. Give a pipeline file, e.g. configs/webcam.yaml{why_empty(path)}"
        raise UsageError(f"Cannot read {path}: {why}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} must hold a map with `cameras:`, got {type(values).__name__}")
    return values


def _allowed(error: str) -> str:
    if "unknown field" not in error:
        return ""
    part = Camera if "cameras" in error else Config
    return f"; allowed: {', '.join(part.__struct_fields__)}"
