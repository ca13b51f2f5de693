"""Command-line options that several commands share."""

from __future__ import annotations

import copy
import enum
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

import typer


class LogFormat(str, enum.Enum):
    """Format of log lines."""

    auto = "auto"
    text = "text"
    json = "json"


class Viewer(str, enum.Enum):
    """Viewer to start."""

    web = "web"
    none = "none"


class BoxSource(str, enum.Enum):
    """Source of the bounding boxes."""

    tracked = "tracked"
    truth = "truth"


class SubjectRule(str, enum.Enum):
    """Subject selection: who is tracked of more than --max-people."""

    largest = "largest"
    nearest = "nearest"


EngineOption = Annotated[str, typer.Option(help="Pose engine; `remi-stream engines` lists them.")]
DetectorOption = Annotated[str, typer.Option(help="Person detector.")]
ThreadsOption = Annotated[int | None, typer.Option(help="CPU threads of the pose engine (default: from its manifest).", min=1)]
DurationOption = Annotated[float | None, typer.Option(help="Stop after this many seconds.", min=0.1)]
RecordOption = Annotated[str | None, typer.Option(help="Record into a new folder in DIR.", metavar="DIR")]
RecordVideoOption = Annotated[bool, typer.Option("--record-video", help="Also record the preview images.")]
DisplayOption = Annotated[bool, typer.Option("--display", help="Open a window with the video and the bodies.")]
RemiRelayOption = Annotated[
    str | None, typer.Option("--remi-relay", help="Also send bodies to this REMI relay.", metavar="HOST:PORT")
]
FILTER_OPTION = typer.Option(
    help="Filter that smooths people over time; `remi-stream control filters` lists filters.", metavar="NAME"
)
LogFormatOption = Annotated[LogFormat, typer.Option("--log-format", help="auto: a status line in a terminal, text otherwise.")]


def pipeline_options(
    engine: EngineOption = "blazepose",
    detector: DetectorOption = "blazepose",
    filter: Annotated[str, FILTER_OPTION] = "one_euro",
    max_people: Annotated[int, typer.Option(help="Maximum number of tracked people.", min=1, max=32)] = 4,
    subject: Annotated[SubjectRule, typer.Option(help="Who is tracked if there are more people.")] = SubjectRule.largest,
    frames: Annotated[int | None, typer.Option(help="Stop after this many frames.", min=1)] = None,
    duration: DurationOption = None,
    name: Annotated[str, typer.Option(help="Name of the daemon; each name has its own ports.")] = "default",
    threads: ThreadsOption = None,
    metrics: Annotated[bool, typer.Option("--metrics/--no-metrics", help="Serve Prometheus metrics.")] = True,
    metrics_bind: Annotated[
        str | None,
        typer.Option(help="Serve metrics and health checks on this address, open to anyone who can reach it.", metavar="ADDRESS"),
    ] = None,
    viewer: Annotated[Viewer, typer.Option(help="Viewer to start; its link is printed.")] = Viewer.web,
    bind: Annotated[str | None, typer.Option(help="Address the viewer listens on, for others who have its link.")] = None,
    record: RecordOption = None,
    record_video: RecordVideoOption = False,
    display: DisplayOption = False,
    remi_relay: RemiRelayOption = None,
    log_format: LogFormatOption = LogFormat.auto,
) -> None:
    """Options of every live pipeline."""


def with_options(
    template: Callable[..., None], into: str, without: tuple[str, ...] = (), panels: Mapping[str, str] | None = None
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Decorator that adds the options of a template function to a command, which gets them as the mapping `into`.

    without: options to leave out. panels: help panel by option name, for options outside the panel "Options".
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        own = [each for each in _parameters(command) if each.name != into]
        shared = [_in_panel((panels or {}).get(each.name), each) for each in _parameters(template) if each.name not in without]

        @functools.wraps(command)
        def wrapped(**given: Any) -> int:
            options = {each.name: given.pop(each.name) for each in shared}
            return command(**given, **{into: options})

        wrapped.__signature__ = inspect.Signature(own + shared, return_annotation=int)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {each.name: each.annotation for each in own + shared}
        del wrapped.__wrapped__  # inspect.signature, and with it Typer, would follow it to the command's own parameters
        return wrapped

    return decorate


def _in_panel(panel: str | None, option: inspect.Parameter) -> inspect.Parameter:
    """The option, moved to a panel of the command's help."""
    if panel is None:
        return option
    kind, info = get_args(option.annotation)
    info = copy.copy(info)  # the annotation is shared by all commands
    info.rich_help_panel = panel
    return option.replace(annotation=Annotated[kind, info])


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())
