"""`remi-stream webcam`, `rtsp` and `remi`: run a pipeline with one live source in the foreground."""

from __future__ import annotations

import enum
import logging
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from remi_stream import config as configuration
from remi_stream.capture.camera_url import PASSWORD_VARIABLE, USER_VARIABLE, check_camera_url, url_has_secret
from remi_stream.cli.options import (
    FILTER_OPTION,
    BoxSource,
    DisplayOption,
    DurationOption,
    LogFormat,
    LogFormatOption,
    RecordOption,
    RecordVideoOption,
    RemiRelayOption,
    pipeline_options,
    with_options,
)
from remi_stream.config import Config
from remi_stream.errors import RemiError, UsageError
from remi_stream.log import configure_logging
from remi_stream.messages import Health
from remi_stream.paths import SAMPLE_FOCAL_PX, sample_clip
from remi_stream.recordings.playback import MAX_SPEED, MIN_SPEED
from remi_stream.remi.wire import PORT, parse_address

# `remi-stream demo` and `run`: run a pipeline in the foreground.


FocalOption = Annotated[float | None, typer.Option(help="Focal length, px (default: the image diagonal).", min=1)]

with_pipeline_options = with_options(pipeline_options, into="options")


@with_pipeline_options
def demo(
    options: dict[str, Any],
    boxes: Annotated[
        BoxSource, typer.Option(help="truth: use the clip's ground-truth boxes, without tracking.")
    ] = BoxSource.tracked,
) -> int:
    """Run a pipeline on the sample clip, played as a live camera in a loop."""
    options["boxes"] = boxes
    camera = {"name": "sample", "source": str(sample_clip()), "loop": True, "focal_px": SAMPLE_FOCAL_PX}
    return run_source(options, camera)


def run(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file (YAML).")],
    duration: DurationOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the daemon (default: from the file).")] = None,
    record: RecordOption = None,
    record_video: RecordVideoOption = False,
    display: DisplayOption = False,
    filter: Annotated[str | None, FILTER_OPTION] = None,
    remi_relay: RemiRelayOption = None,
    log_format: LogFormatOption = LogFormat.auto,
) -> int:
    """Run the pipeline described by a file: its cameras, engine and detector."""
    values = configuration.read_config_file(pipeline)
    overrides = {"duration_s": duration, "name": name, "record": record, "record_video": record_video, "display": display}
    overrides |= {"remi_relay": remi_relay, "filter": filter}
    if filter:  # the options in the file belong to the file's filter
        values.pop("filter_options", None)
    return run_pipeline(
        configuration.parse_config({**values, **{key: value for key, value in overrides.items() if value}}), log_format
    )


def run_source(options: dict[str, Any], camera: dict[str, Any]) -> int:
    """Build the configuration of a command's options and camera, and run the pipeline."""
    values = {key: value.value if isinstance(value, enum.Enum) else value for key, value in options.items()}
    log_format, frames = options["log_format"], values.pop("frames")
    values["duration_s"] = values.pop("duration")
    return run_pipeline(
        configuration.parse_config({**values, "log_format": "text", "cameras": [{**camera, "frames": frames}]}), log_format
    )


def camera_name(file: Path) -> str:
    """Camera name of a file: its stem, with letters that a name may not have replaced."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in file.stem)
    return kept[:40] or "video"


def run_pipeline(config: Config, log_format: LogFormat = LogFormat.auto) -> int:
    """Run a pipeline in the foreground; return the exit code."""
    import msgspec

    from remi_stream.cli.ready import prepare_pipeline
    from remi_stream.cli.status import StatusLine
    from remi_stream.cli.view import LinkPrinter
    from remi_stream.paths import run_folder
    from remi_stream.process.supervisor import Supervisor
    from remi_stream.process.systemd import SystemdNotifier

    style = "json" if log_format is LogFormat.json else "text"
    config = msgspec.structs.replace(config, log_format=style)
    manager = SystemdNotifier()
    configure_logging("remi", style)
    prepare_pipeline(config)
    live_line = log_format is LogFormat.auto and sys.stderr.isatty()
    with run_folder(config.name) as folder, StatusLine(config, style, live_line) as line:
        link_printer = LinkPrinter(
            folder if config.viewer == "web" else None, line.log if live_line else partial(print, flush=True)
        )

        def tick(stages: list[Health]) -> None:
            line.tick(stages)
            link_printer.tick()
            manager.notify(stages, supervisor.is_ready, supervisor.is_stopping, time.monotonic())

        supervisor = Supervisor(config, folder, on_log=line.log, on_tick=tick)
        code = supervisor.run()
    if supervisor.reason:
        raise _failure(code, supervisor.reason)
    return code


def _failure(code: int, reason: str) -> RemiError:
    error = RemiError(reason)
    error.exit_code = code
    return error


# `remi-stream play`: plays a recording as if it were live.


ENGINE_OPTIONS = ("engine", "detector", "max_people", "subject", "threads", "filter")
"""Options that do not apply to recorded bodies; the filter is off by default, because they were filtered when recorded."""


@with_options(pipeline_options, into="options", without=ENGINE_OPTIONS)
def play(
    options: dict[str, Any],
    recording: Annotated[Path, typer.Argument(help="Folder written by --record or `video --out`.", metavar="RECORDING")],
    speed: Annotated[float, typer.Option(help="Speed, relative to the recording.", min=MIN_SPEED, max=MAX_SPEED)] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    start_s: Annotated[float, typer.Option("--from", help="Start at this second.", min=0)] = 0.0,
    filter: Annotated[str, FILTER_OPTION] = "none",
) -> int:
    """Play a recording as a live camera."""
    from remi_stream.recordings.playback import PlaybackOptions, playback_source
    from remi_stream.recordings.reader import open_take

    name = camera_name(Path(open_take(recording).frames[0].camera))
    source = playback_source(recording.resolve(), PlaybackOptions(speed, start_s))
    return run_source({**options, "filter": filter}, {"name": name, "source": source, "loop": loop})


log = logging.getLogger("remi_stream")

IMAGE_OPTIONS = ("engine", "detector", "max_people", "subject", "threads", "record_video")
"""Options that do not apply to a source without images."""


def camera_options(
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror the image.")] = False,
    rotate: Annotated[int, typer.Option(help="Rotate the image clockwise: 0, 90, 180 or 270 degrees.")] = 0,
    focal: FocalOption = None,
    calibration: Annotated[str | None, typer.Option(help="OpenCV calibration file of the camera.", metavar="FILE")] = None,
    max_fps: Annotated[float | None, typer.Option(help="Maximum frame rate.", min=0.1)] = None,
    give_up_after: Annotated[float | None, typer.Option(help="Stop after this many seconds without a frame.", min=1)] = None,
) -> None:
    """Options of every live camera."""


with_camera_options = with_options(camera_options, into="camera")


@with_pipeline_options
@with_camera_options
def webcam(
    options: dict[str, Any],
    camera: dict[str, Any],
    device: Annotated[str, typer.Argument(help="Number or path; `remi-stream cameras` lists cameras.")] = "0",
    size: Annotated[str | None, typer.Option(help="Frame size to request.", metavar="WIDTHxHEIGHT")] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate to request.", min=1)] = None,
) -> int:
    """Run a pipeline with a camera of this machine."""
    own = {"name": "webcam", "source": _device_path(device), "size": _size(size), "fps": fps}
    return run_source(options, {**own, **_camera_config(camera)})


@with_pipeline_options
@with_camera_options
def rtsp(
    url: Annotated[str, typer.Argument(help="rtsp://HOST/PATH; user and password: see docs/use/cameras.md.")],
    options: dict[str, Any],
    camera: dict[str, Any],
    transport: Annotated[str, typer.Option(help="Transport protocol: tcp or udp.")] = "tcp",
) -> int:
    """Run a pipeline with a network camera (RTSP)."""
    check_camera_url(url)
    if url_has_secret(url):
        configure_logging("remi", "json" if options["log_format"] is LogFormat.json else "text")
        log.warning(
            "every user of this machine can read a password in a command line; set %s and %s instead",
            USER_VARIABLE,
            PASSWORD_VARIABLE,
        )
    return run_source(options, {"name": "rtsp", "source": url, "transport": transport, **_camera_config(camera)})


@with_options(pipeline_options, into="options", without=IMAGE_OPTIONS)
def remi(
    options: dict[str, Any],
    listen: Annotated[
        str, typer.Option(help="Address that REMI's pose program sends to.", metavar="HOST:PORT")
    ] = f"127.0.0.1:{PORT}",
) -> int:
    """Receive bodies from REMI's pose program, in place of REMI's relay."""
    parse_address(listen)
    return run_source(options, {"name": "remi", "source": f"remi:{listen}"})


def _camera_config(camera: dict[str, Any]) -> dict[str, Any]:
    """Camera options under their names in the configuration."""
    names = {"focal": "focal_px", "give_up_after": "give_up_after_s"}
    return {names.get(key, key): value for key, value in camera.items()}


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
