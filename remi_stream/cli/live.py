"""`webcam` and `rtsp`: one real camera, in the foreground, until it is stopped."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer

from remi_stream.capture.address import PASSWORD, USER, check_url, has_password
from remi_stream.cli.play import (
    Detector,
    Display,
    Duration,
    Engine,
    Focal,
    Frames,
    Log,
    LogFormat,
    MaxPeople,
    Metrics,
    Name,
    Record,
    RecordVideo,
    Subject,
    SubjectOption,
    Threads,
    Viewer,
    ViewerOption,
    start,
)
from remi_stream.errors import UsageError
from remi_stream.log import start_log

log = logging.getLogger("remi_stream")

Mirror = Annotated[bool, typer.Option("--mirror", help="Mirror the picture.")]
Rotate = Annotated[int, typer.Option(help="Turn the picture clockwise: 0, 90, 180 or 270 degrees.")]
Calibration = Annotated[str | None, typer.Option(help="OpenCV calibration file of the camera.", metavar="FILE")]
MaxFps = Annotated[float | None, typer.Option(help="Take no more pictures a second than this.", min=0.1)]
GiveUp = Annotated[float | None, typer.Option("--give-up-after", help="End after so many seconds without a picture.", min=1)]


def webcam(
    device: Annotated[str, typer.Argument(help="Number or path; `remi-stream cameras` lists them.")] = "0",
    size: Annotated[str | None, typer.Option(help="Picture size to ask for.", metavar="WIDTHxHEIGHT")] = None,
    fps: Annotated[float | None, typer.Option(help="Pictures a second to ask for.", min=1)] = None,
    mirror: Mirror = False,
    rotate: Rotate = 0,
    focal: Focal = None,
    calibration: Calibration = None,
    max_fps: MaxFps = None,
    give_up_after: GiveUp = None,
    engine: Engine = "blazepose",
    detector: Detector = "blazepose",
    max_people: MaxPeople = 4,
    subject: SubjectOption = Subject.largest,
    duration: Duration = None,
    frames: Frames = None,
    name: Name = "default",
    threads: Threads = None,
    metrics: Metrics = True,
    viewer: ViewerOption = Viewer.none,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    log_format: Log = LogFormat.auto,
) -> int:
    """Use a camera at this machine."""
    options = locals()
    own = {"name": "webcam", "source": _device_path(device), "size": _size(size), "fps": fps}
    return start({**options, "cameras": [{**own, **_common(options)}]})


def rtsp(
    url: Annotated[str, typer.Argument(help="rtsp://HOST/PATH; user and password: see docs/cameras.md.")],
    transport: Annotated[str, typer.Option(help="How pictures travel: tcp or udp.")] = "tcp",
    mirror: Mirror = False,
    rotate: Rotate = 0,
    focal: Focal = None,
    calibration: Calibration = None,
    max_fps: MaxFps = None,
    give_up_after: GiveUp = None,
    engine: Engine = "blazepose",
    detector: Detector = "blazepose",
    max_people: MaxPeople = 4,
    subject: SubjectOption = Subject.largest,
    duration: Duration = None,
    frames: Frames = None,
    name: Name = "default",
    threads: Threads = None,
    metrics: Metrics = True,
    viewer: ViewerOption = Viewer.none,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    log_format: Log = LogFormat.auto,
) -> int:
    """Use a network camera (RTSP)."""
    options = locals()
    check_url(url)
    if has_password(url):
        start_log("remi", "json" if log_format is LogFormat.json else "text")
        log.warning("everybody on this machine can read a password in a command line; set %s and %s instead", USER, PASSWORD)
    return start({**options, "cameras": [{"name": "rtsp", "source": url, "transport": transport, **_common(options)}]})


def _common(options: dict[str, Any]) -> dict[str, Any]:
    """Give what a command's options say of any live camera."""
    same = {key: options[key] for key in ("mirror", "rotate", "calibration", "max_fps", "frames")}
    return {**same, "focal_px": options["focal"], "give_up_after_s": options["give_up_after"]}


def _device_path(device: str) -> str:
    if device.isdigit():
        return f"/dev/video{device}"
    if device.startswith("/dev/"):
        return device
    raise UsageError(f"{device!r} is not a camera; allowed: a number or a path in /dev. See: remi-stream cameras")


def _size(text: str | None) -> tuple[int, int] | None:
    width, cross, height = (text or "").lower().partition("x")
    if text is None:
        return None
    if not (cross and width.isdigit() and height.isdigit()):
        raise UsageError(f"--size {text!r} is not a size; allowed: WIDTHxHEIGHT, e.g. 1280x720")
    return int(width), int(height)
