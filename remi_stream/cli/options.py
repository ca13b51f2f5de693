"""Options that several commands take, written once."""

from __future__ import annotations

import copy
import enum
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

import typer


class LogFormat(str, enum.Enum):
    """How progress is told."""

    auto = "auto"
    text = "text"
    json = "json"


class Viewer(str, enum.Enum):
    """Which viewer is started."""

    web = "web"
    none = "none"


class Boxes(str, enum.Enum):
    """Where people's boxes come from."""

    tracked = "tracked"
    truth = "truth"


class Subject(str, enum.Enum):
    """Who is followed of more people than may be."""

    largest = "largest"
    nearest = "nearest"


Engine = Annotated[str, typer.Option(help="Pose engine; `remi-stream engines` lists them.")]
Detector = Annotated[str, typer.Option(help="Person detector.")]
Threads = Annotated[int | None, typer.Option(help="Threads of the pose engine (default: as its manifest says).", min=1)]
Duration = Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0.1)]
Record = Annotated[str | None, typer.Option(help="Record into a new folder in this one.", metavar="DIR")]
RecordVideo = Annotated[bool, typer.Option("--record-video", help="Record the preview pictures too.")]
Display = Annotated[bool, typer.Option("--display", help="Open a window with the picture and the bodies.")]
RemiRelay = Annotated[str | None, typer.Option("--remi-relay", help="Feed this REMI relay too.", metavar="HOST:PORT")]
FILTER = typer.Option(help="What smooths people; `remi-stream control filters` lists them.", metavar="NAME")
Log = Annotated[LogFormat, typer.Option("--log-format", help="auto: a status line in a terminal, text otherwise.")]


def pipeline_options(
    engine: Engine = "blazepose",
    detector: Detector = "blazepose",
    filter: Annotated[str, FILTER] = "one_euro",
    max_people: Annotated[int, typer.Option(help="How many people are followed at most.", min=1, max=32)] = 4,
    subject: Annotated[Subject, typer.Option(help="Who is followed if there are more people.")] = Subject.largest,
    frames: Annotated[int | None, typer.Option(help="Stop after so many frames.", min=1)] = None,
    duration: Duration = None,
    name: Annotated[str, typer.Option(help="Name of this daemon; another name uses other ports.")] = "default",
    threads: Threads = None,
    metrics: Annotated[bool, typer.Option("--metrics/--no-metrics", help="Serve Prometheus metrics.")] = True,
    metrics_bind: Annotated[
        str | None, typer.Option(help="Serve metrics and health on this address, to everybody who reaches it.", metavar="ADDRESS")
    ] = None,
    viewer: Annotated[Viewer, typer.Option(help="Viewer to start; its link is printed.")] = Viewer.web,
    bind: Annotated[str | None, typer.Option(help="Let others look, who have the link: listen on this address.")] = None,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    remi_relay: RemiRelay = None,
    log_format: Log = LogFormat.auto,
) -> None:
    """What every pipeline takes."""


def with_options(
    template: Callable[..., None], into: str, without: tuple[str, ...] = (), panels: Mapping[str, str] | None = None
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the template's options, without some; it gets them as one map, its parameter `into`.

    panels: the heading in the command's help, by an option's name, of those that have another one than "Options".
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        own = [each for each in _parameters(command) if each.name != into]
        shared = [_under((panels or {}).get(each.name), each) for each in _parameters(template) if each.name not in without]

        @functools.wraps(command)
        def wrapped(**given: Any) -> int:
            options = {each.name: given.pop(each.name) for each in shared}
            return command(**given, **{into: options})

        wrapped.__signature__ = inspect.Signature(own + shared, return_annotation=int)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {each.name: each.annotation for each in own + shared}
        del wrapped.__wrapped__
        return wrapped

    return decorate


def _under(heading: str | None, option: inspect.Parameter) -> inspect.Parameter:
    """The option, under a heading of the command's help."""
    if heading is None:
        return option
    kind, info = get_args(option.annotation)
    info = copy.copy(info)
    info.rich_help_panel = heading
    return option.replace(annotation=Annotated[kind, info])


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())
