"""`remi-stream demo`, `webcam`, `rtsp`, `remi` and `run`: run a pipeline in the foreground."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from remi_stream import config as configuration
from remi_stream.capture.camera_url import PASSWORD_VARIABLE, USER_VARIABLE, check_camera_url, url_has_secret
from remi_stream.capture.webcam import check_webcam
from remi_stream.cli.foreground import run_pipeline, run_source
from remi_stream.cli.options import (
    FILTER_OPTION,
    BoxSource,
    BusBindOption,
    BusOpenOption,
    DisplayOption,
    DurationOption,
    LogFormat,
    LogFormatOption,
    RecordOption,
    RecordVideoOption,
    RemiRelayOption,
    camera_options,
    parse_size,
    pipeline_options,
    with_options,
)
from remi_stream.errors import UsageError
from remi_stream.log import configure_logging
from remi_stream.paths import SAMPLE_FOCAL_PX, sample_clip
from remi_stream.remi.wire import PORT, parse_address

IMAGE_OPTIONS = ("engine", "detector", "max_people", "subject", "posture", "sensitivity", "threads", "record_video")
"""Options that do not apply to a source without images."""

log = logging.getLogger("remi_stream")

with_pipeline_options = with_options(pipeline_options, into="options")
with_camera_options = with_options(camera_options, into="camera")


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
    bus_bind: BusBindOption = None,
    bus_open: BusOpenOption = False,
    remi_relay: RemiRelayOption = None,
    log_format: LogFormatOption = LogFormat.auto,
) -> int:
    """Run the pipeline described by a file: its cameras, engine and detector."""
    values = configuration.read_config_file(pipeline)
    overrides = {"duration_s": duration, "name": name, "record": record, "record_video": record_video, "display": display}
    overrides |= {"bus_bind": bus_bind, "bus_open": bus_open, "remi_relay": remi_relay, "filter": filter}
    if filter:  # the options in the file belong to the file's filter
        values.pop("filter_options", None)
    return run_pipeline(
        configuration.parse_config({**values, **{key: value for key, value in overrides.items() if value}}), log_format
    )


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
    own = {"name": "webcam", "source": _device_path(device), "size": parse_size(size) if size else None, "fps": fps}
    return run_source(options, {**own, **_camera_config(camera)}, lambda config: check_webcam(config.source))


@with_pipeline_options
@with_camera_options
def rtsp(
    url: Annotated[str, typer.Argument(help="rtsp://HOST/PATH or http://HOST/PATH; user and password: see docs/use/cameras.md.")],
    options: dict[str, Any],
    camera: dict[str, Any],
    transport: Annotated[str, typer.Option(help="Transport protocol of RTSP: tcp or udp.")] = "tcp",
) -> int:
    """Run a pipeline with a network camera (RTSP, or MJPEG over HTTP)."""
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
