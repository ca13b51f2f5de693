"""Command-line options that several commands share."""

from __future__ import annotations

import contextlib
import copy
import enum
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from remi_stream.config import BASE_PORT
from remi_stream.errors import UsageError, reading_answer
from remi_stream.paths import check_path_part
from remi_stream.transport.address import DaemonAddress, daemon_address, tcp_address


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
    """Which people are tracked when there are more than --max-people."""

    largest = "largest"
    nearest = "nearest"


class PostureChoice(str, enum.Enum):
    """Posture of the people searched for."""

    any = "any"
    upright = "upright"


class SensitivityChoice(str, enum.Enum):
    """Which set of gates rejects poses."""

    low = "low"
    normal = "normal"
    high = "high"


class SmoothMethod(str, enum.Enum):
    """Smoothing of a finished take; none: gaps in tracks are interpolated, nothing is smoothed."""

    none = "none"
    one_euro = "one-euro"
    smoothnet = "smoothnet"


class DrawnView(str, enum.Enum):
    """What is drawn: the names in `VIEWS`."""

    mesh = "mesh"
    skeleton = "skeleton"
    side = "side"
    space = "3d"


EngineOption = Annotated[str, typer.Option(help="Pose engine; `remi-stream engines` lists them.")]
DetectorOption = Annotated[str, typer.Option(help="Person detector.")]
ThreadsOption = Annotated[int | None, typer.Option(help="CPU threads of the pose engine (default: from its manifest).", min=1)]
DaemonName = Annotated[
    str, typer.Option(help="Name of the daemon.", callback=lambda name: check_path_part("daemon", name) if name else name)
]
DurationOption = Annotated[float | None, typer.Option(help="Stop after this many seconds.", min=0.1)]
RecordOption = Annotated[str | None, typer.Option(help="Record each camera into a new folder in DIR.", metavar="DIR")]
RecordVideoOption = Annotated[bool, typer.Option("--record-video", help="Also record the preview images.")]
DisplayOption = Annotated[bool, typer.Option("--display", help="Open a window with the video and the bodies.")]
RemiRelayOption = Annotated[
    str | None, typer.Option("--remi-relay", help="Also send bodies to this REMI relay.", metavar="HOST:PORT")
]
FILTER_OPTION = typer.Option(
    help="Filter that smooths people over time; `remi-stream control filters` lists filters.", metavar="NAME"
)
ViewerHostOption = Annotated[
    list[str] | None,
    typer.Option(help="Further name by which the viewer is opened, e.g. a reverse proxy's; may be repeated.", metavar="NAME"),
]
BusBindOption = Annotated[
    str | None,
    typer.Option(
        "--bus-bind",
        help="Let other machines use the bus and control, with a key (default: only you, on this machine).",
        metavar="ADDRESS[:PORT]",
    ),
]
BusOpenOption = Annotated[
    bool, typer.Option("--bus-open", help="Let anyone who reaches --bus-bind read bodies: no keys, no images, no control.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
FocalOption = Annotated[float | None, typer.Option(help="Focal length, px (default: the image diagonal).", min=1)]
LogFormatOption = Annotated[LogFormat, typer.Option("--log-format", help="auto: a status line in a terminal, text otherwise.")]


def pipeline_options(
    engine: EngineOption = "blazepose",
    detector: DetectorOption = "blazepose",
    filter: Annotated[str, FILTER_OPTION] = "one_euro",
    max_people: Annotated[
        int,
        typer.Option(
            help="Maximum number of people at a time (default: 4 live; offline, no limit).", min=1, max=32, show_default=False
        ),
    ] = 4,
    subject: Annotated[SubjectRule, typer.Option(help="Which people are tracked if there are more.")] = SubjectRule.largest,
    posture: Annotated[
        PostureChoice,
        typer.Option(help="Posture of the people searched for (blazepose); upright takes less time: no one lies or bends over."),
    ] = PostureChoice.any,
    sensitivity: Annotated[
        SensitivityChoice,
        typer.Option(help="How readily BlazePose takes what it sees for a person: high misses fewer, and errs more often."),
    ] = SensitivityChoice.normal,
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
    bind: Annotated[str | None, typer.Option(help="Address the viewer listens on (default: loopback only).")] = None,
    viewer_host: ViewerHostOption = None,
    bus_bind: BusBindOption = None,
    bus_open: BusOpenOption = False,
    record: RecordOption = None,
    record_video: RecordVideoOption = False,
    display: DisplayOption = False,
    remi_relay: RemiRelayOption = None,
    log_format: LogFormatOption = LogFormat.auto,
) -> None:
    """Options of every live pipeline."""


def daemon_options(
    name: DaemonName = "default",
    connect: Annotated[
        str | None, typer.Option(help="Use a daemon that was started with --bus-bind, on any machine.", metavar="HOST[:PORT]")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Key file for it: a copy of its user's keys/client.json.", metavar="FILE", dir_okay=False)
    ] = None,
) -> None:
    """Which daemon a command uses."""


def with_daemon(command: Callable[..., int]) -> Callable[..., int]:
    """Decorator that adds --name, --connect and --key to a command, which gets the DaemonAddress `daemon`."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> int:
        daemon = find_daemon(**given["daemon"])
        # what another machine answers is no mistake of ours; that of a daemon here is
        with reading_answer(daemon.name) if daemon.is_remote else contextlib.nullcontext():
            return command(**{**given, "daemon": daemon})

    return with_options(daemon_options, into="daemon")(wrapped)


def find_daemon(name: str, connect: str | None, key: Path | None) -> DaemonAddress:
    """Address of the daemon that these options name. Raises UsageError."""
    if connect is None:
        if key:
            raise UsageError("--key is for a daemon on TCP; name that, too: --connect HOST[:PORT]")
        return daemon_address(name)
    if name != "default":
        raise UsageError("--name is a daemon of yours on this machine, --connect one on TCP; give one of them")
    if key is None:
        return tcp_address(connect, BASE_PORT, "--connect", has_control=False)
    from remi_stream.transport.curve import read_client_keys  # here, because most commands use no ZeroMQ

    return tcp_address(connect, BASE_PORT, "--connect", read_client_keys(key))


def camera_options(
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror the image.")] = False,
    rotate: Annotated[int, typer.Option(help="Rotate the image clockwise: 0, 90, 180 or 270 degrees.")] = 0,
    focal: FocalOption = None,
    calibration: Annotated[str | None, typer.Option(help="OpenCV calibration file of the camera.", metavar="FILE")] = None,
    max_fps: Annotated[float | None, typer.Option(help="Maximum frame rate.", min=0.1)] = None,
    give_up_after: Annotated[float | None, typer.Option(help="Stop after this many seconds without a frame.", min=1)] = None,
) -> None:
    """Options of every live camera."""


def offline_options(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; each input gets a folder with its name.", metavar="DIR")
    ] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(help="Export format: csv, json, bvh, gltf, ...; may be repeated (default: npz and csv).", metavar="NAME"),
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="Also keep the engine's native outputs.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    batch: Annotated[int, typer.Option(help="Batch size of the engine: people, from several frames.", min=1, max=256)] = 16,
    detbatch: Annotated[int, typer.Option(help="Batch size of the detector: frames.", min=1, max=64)] = 1,
    smooth: Annotated[
        SmoothMethod | None,
        typer.Option(help="At the end, link tracks, interpolate gaps and smooth; none: without smoothing."),
    ] = None,
    smooth_weights: Annotated[
        Path | None, typer.Option(help="SmoothNet weights (default: the imported ones).", metavar="FILE")
    ] = None,
    window: Annotated[int | None, typer.Option(help="SmoothNet's window: 8, 16, 32 or 64 frames (default: 32).")] = None,
    chunk: Annotated[int, typer.Option(hidden=True, min=1)] = 300,
    detections: Annotated[
        Path | None,
        typer.Option(
            "--detections", "--detfile", help="Bounding boxes to use instead of a detector: COCO results, JSON.", metavar="FILE"
        ),
    ] = None,
    focal: FocalOption = None,
) -> None:
    """Options of offline processing."""


def drawing_options(
    save_video: Annotated[
        bool, typer.Option("--save-video", help="Also write a video with all people drawn into it (mp4).")
    ] = False,
    save_images: Annotated[bool, typer.Option("--save-images", help="Also write its frames as images (png).")] = False,
    view: Annotated[
        DrawnView | None,
        typer.Option(help="What is drawn: bodies, skeletons, bodies beside a view from the side, or skeletons beside 3D."),
    ] = None,
    view_size: Annotated[
        str | None, typer.Option(help="Output size, px (default: size of the source).", metavar="WIDTH[xHEIGHT]")
    ] = None,
    vis_fast: Annotated[bool, typer.Option("--vis-fast", help="Draw skeletons only.")] = False,
) -> None:
    """Options for drawing people."""


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

        both = sorted(own + shared, key=lambda each: each.kind)  # keyword-only parameters must be last
        wrapped.__signature__ = inspect.Signature(both, return_annotation=int)  # type: ignore[attr-defined]
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


def parse_size(text: str, smallest: int = 1, largest: int = 9999, even: bool = False) -> tuple[int, int]:
    """Parse --size, "1280x720", into width and height, px. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.lower())
    sides = [int(side) for side in found.groups()] if found else []
    if not sides or not all(smallest <= side <= largest and not (even and side % 2) for side in sides):
        numbers = "even numbers" if even else "numbers"
        raise UsageError(
            f"--size {text!r} is not a size; allowed: WIDTHxHEIGHT, two {numbers} of {smallest} to {largest} px, e.g. 1280x720"
        )
    return sides[0], sides[1]


def check_chart_file(option: str, path: Path | None) -> None:
    """Raise UsageError for the file of a chart that is no PNG."""
    if path and path.suffix.lower() != ".png":
        raise UsageError(f"{option} must be an image, FILE.png; got {path}")


def check_overwrite(paths: Iterable[Path], overwrite: bool, hint: str = "") -> None:
    """Raise UsageError if one of the output paths exists and --overwrite is not given. hint: what else may have been meant."""
    if not overwrite and (existing := [path for path in paths if path.exists()]):
        raise UsageError(
            f"{existing[0]} already exists. Give --overwrite to replace it, or another --out{f'. {hint}' if hint else ''}"
        )
