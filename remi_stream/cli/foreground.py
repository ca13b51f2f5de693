"""Runs a pipeline in the foreground, and shows its status and the viewer's link."""

from __future__ import annotations

import enum
import logging
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from remi_stream import config as configuration
from remi_stream.cli.options import LogFormat
from remi_stream.cli.status_line import StatusLine
from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.log import configure_logging
from remi_stream.messages import Health
from remi_stream.redaction import redact
from remi_stream.sinks.web.access import read_viewer_link, shown_link

log = logging.getLogger("remi_stream")


def run_source(
    options: dict[str, Any], camera: dict[str, Any], check: Callable[[CameraConfig], None] = lambda camera: None
) -> int:
    """Build the configuration of a command's options and camera, and run the pipeline.

    check: raises RemiError if the camera is not there, before weights are loaded and links are shown.
    """
    values = {key: value.value if isinstance(value, enum.Enum) else value for key, value in options.items()}
    log_format, frames = options["log_format"], values.pop("frames")
    values["duration_s"] = values.pop("duration")
    values["viewer_hosts"] = values.pop("viewer_host", None) or []
    config = configuration.parse_config({**values, "log_format": "text", "cameras": [{**camera, "frames": frames}]})
    check(config.cameras[0])
    return run_pipeline(config, log_format)


def camera_name(file: Path) -> str:
    """Camera name of a file: its stem, with letters that a name may not have replaced."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in file.stem)
    return re.sub(r"\.{2,}", ".", kept).lstrip(".-")[:40] or "video"


def run_pipeline(config: Config, log_format: LogFormat = LogFormat.auto) -> int:
    """Run a pipeline in the foreground; return the exit code."""
    from remi_stream.cli.ready import prepare_pipeline
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
            folder.path if config.viewer == "web" else None,
            line.log if live_line else partial(print, flush=True),
            private=live_line or sys.stdout.isatty(),
        )

        def tick(stages: list[Health]) -> None:
            line.tick(stages)
            if line.has_camera or any("/" in health.stage and health.state != "starting" for health in stages):
                link_printer.tick()  # not before: without a camera there would be nothing to see
            manager.notify(stages, supervisor.is_ready, supervisor.is_stopping, time.monotonic())

        supervisor = Supervisor(config, folder, on_log=lambda text: line.log(_redacted(text)), on_tick=tick)
        code = supervisor.run()
    if supervisor.reason:  # raised after the live line is cleared, so that it is the last line
        raise _failure(code, supervisor.reason)
    return code


def _redacted(line: str) -> str:
    """A stage's log line with credentials masked: C libraries write there too. A line of JSON was masked when it was made."""
    return line if line.startswith("{") else redact(line)


def _failure(code: int, reason: str) -> RemiError:
    error = RemiError(reason)
    error.exit_code = code
    return error


class LinkPrinter:
    """Prints the viewer's link once it exists, with its token only to a terminal (private)."""

    def __init__(self, folder: Path | None, write: Callable[[str], object], private: bool) -> None:
        self._folder, self._write, self._private = folder, write, private

    def tick(self) -> None:
        """Print the link if the viewer is up; folder None: no viewer is expected."""
        link = read_viewer_link(self._folder) if self._folder else ""
        if self._folder and link:
            self._write(f"viewer {shown_link(link, self._folder, self._private)}")
            self._folder = None
