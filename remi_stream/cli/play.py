"""`remi-stream demo` and `run`: run a pipeline in the foreground."""

from __future__ import annotations

import enum
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from remi_stream import config as configuration
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
from remi_stream.errors import RemiError
from remi_stream.log import configure_logging
from remi_stream.messages import Health
from remi_stream.sample import SAMPLE_FOCAL_PX, sample_clip

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
    from remi_stream.cli.statusline import StatusLine
    from remi_stream.cli.view import LinkPrinter
    from remi_stream.folder import run_folder
    from remi_stream.notify import SystemdNotifier
    from remi_stream.supervisor import Supervisor

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
