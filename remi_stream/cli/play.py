"""`demo` and `run`: a pipeline in the foreground, until it ends or is stopped."""

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
    FILTER,
    Boxes,
    Display,
    Duration,
    Log,
    LogFormat,
    Record,
    RecordVideo,
    RemiRelay,
    pipeline_options,
    with_options,
)
from remi_stream.config import Config
from remi_stream.errors import RemiError
from remi_stream.log import start_log
from remi_stream.messages import Health
from remi_stream.sample import FOCAL_PX, sample_clip

Focal = Annotated[float | None, typer.Option(help="Focal length in px (default: the picture's diagonal).", min=1)]

with_pipeline_options = with_options(pipeline_options, into="options")


@with_pipeline_options
def demo(
    options: dict[str, Any],
    boxes: Annotated[
        Boxes, typer.Option(help="truth: take people's boxes from the clip's truth; nobody is followed.")
    ] = Boxes.tracked,
) -> int:
    """Play the sample clip as a live camera, over and over."""
    options["boxes"] = boxes
    camera = {"name": "sample", "source": str(sample_clip()), "loop": True, "focal_px": FOCAL_PX}
    return start(options, camera)


def run(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file (YAML).")],
    duration: Duration = None,
    name: Annotated[str | None, typer.Option(help="Name of this daemon, instead of the file's.")] = None,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    filter: Annotated[str | None, FILTER] = None,
    remi_relay: RemiRelay = None,
    log_format: Log = LogFormat.auto,
) -> int:
    """Run a pipeline file: its cameras, engine and detector."""
    values = configuration.read(pipeline)
    given = {"duration_s": duration, "name": name, "record": record, "record_video": record_video, "display": display}
    given |= {"remi_relay": remi_relay, "filter": filter}
    if filter:
        values.pop("filter_options", None)
    return play(configuration.check({**values, **{key: value for key, value in given.items() if value}}), log_format)


def start(options: dict[str, Any], camera: dict[str, Any]) -> int:
    """Make the configuration of a command's options and its camera, and run it."""
    values = {key: value.value if isinstance(value, enum.Enum) else value for key, value in options.items()}
    log_format, frames = options["log_format"], values.pop("frames")
    values["duration_s"] = values.pop("duration")
    return play(configuration.check({**values, "log_format": "text", "cameras": [{**camera, "frames": frames}]}), log_format)


def play(config: Config, log_format: LogFormat = LogFormat.auto) -> int:
    """Run a pipeline in the foreground and give the exit code."""
    import msgspec

    from remi_stream.cli.ready import make_ready
    from remi_stream.cli.statusline import StatusLine
    from remi_stream.cli.view import LinkTeller
    from remi_stream.folder import run_folder
    from remi_stream.notify import ServiceManager
    from remi_stream.supervisor import Supervisor

    style = "json" if log_format is LogFormat.json else "text"
    config = msgspec.structs.replace(config, log_format=style)
    manager = ServiceManager()
    start_log("remi", style)
    make_ready(config)
    fancy = log_format is LogFormat.auto and sys.stderr.isatty()
    with run_folder(config.name) as folder, StatusLine(config, style, fancy) as line:
        teller = LinkTeller(folder if config.viewer == "web" else None, line.log if fancy else partial(print, flush=True))

        def tick(stages: list[Health]) -> None:
            line.tick(stages)
            teller.tick()
            manager.tick(stages, supervisor.at_work, supervisor.stopping, time.monotonic())

        supervisor = Supervisor(config, folder, on_log=line.log, on_tick=tick)
        code = supervisor.run()
    if supervisor.reason:
        raise _failure(code, supervisor.reason)
    return code


def _failure(code: int, reason: str) -> RemiError:
    error = RemiError(reason)
    error.exit_code = code
    return error
