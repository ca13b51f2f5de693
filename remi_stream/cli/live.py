"""`remi-stream webcam`, `rtsp` and `remi`: run a pipeline with one live source in the foreground."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer

from remi_stream.capture.address import PASSWORD_VARIABLE, USER_VARIABLE, check_camera_url, url_has_secret
from remi_stream.cli.options import LogFormat, pipeline_options, with_options
from remi_stream.cli.play import FocalOption, run_source, with_pipeline_options
from remi_stream.errors import UsageError
from remi_stream.formats.remi import PORT, parse_address
from remi_stream.log import configure_logging

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
    url: Annotated[str, typer.Argument(help="rtsp://HOST/PATH; user and password: see docs/cameras.md.")],
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
