"""`demo`, `video` and `run`: a pipeline in the foreground, until it ends or is stopped."""

from __future__ import annotations

import enum
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from remi_stream import config as configuration
from remi_stream.config import Config
from remi_stream.errors import RemiError, UsageError
from remi_stream.log import start_log
from remi_stream.messages import Health
from remi_stream.resources import data_file

SAMPLE_FOCAL_PX = 1150.0


class LogFormat(str, enum.Enum):
    """How progress is told."""

    auto = "auto"
    text = "text"
    json = "json"


class Viewer(str, enum.Enum):
    """Which viewer is started."""

    web = "web"
    none = "none"


class Subject(str, enum.Enum):
    """Who is followed of more people than may be."""

    largest = "largest"
    nearest = "nearest"


Engine = Annotated[str, typer.Option(help="Pose engine; `remi-stream engines` lists them.")]
Detector = Annotated[str, typer.Option(help="Person detector.")]
MaxPeople = Annotated[int, typer.Option(help="How many people are followed at most.", min=1, max=32)]
SubjectOption = Annotated[Subject, typer.Option("--subject", help="Who is followed if there are more people.")]
Duration = Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0.1)]
Frames = Annotated[int | None, typer.Option(help="Stop after so many frames.", min=1)]
Name = Annotated[str, typer.Option(help="Name of this daemon; another name uses other ports.")]
Focal = Annotated[float | None, typer.Option(help="Focal length in px (default: the picture's diagonal).", min=1)]
Threads = Annotated[int | None, typer.Option(help="Threads of the pose engine (default: as its manifest says).", min=1)]
Metrics = Annotated[bool, typer.Option("--metrics/--no-metrics", help="Serve Prometheus metrics.")]
Log = Annotated[LogFormat, typer.Option("--log-format", help="auto: a status line in a terminal, text otherwise.")]
ViewerOption = Annotated[Viewer, typer.Option(help="Viewer to start; its link is printed.")]
Bind = Annotated[str | None, typer.Option(help="Let others look, who have the link: listen on this address.")]
Record = Annotated[str | None, typer.Option(help="Record into a new folder in this one.", metavar="DIR")]
RecordVideo = Annotated[bool, typer.Option("--record-video", help="Record the preview pictures too.")]
Display = Annotated[bool, typer.Option("--display", help="Open a window with the picture and the bodies.")]


def demo(
    engine: Engine = "blazepose",
    detector: Detector = "blazepose",
    max_people: MaxPeople = 4,
    subject: SubjectOption = Subject.largest,
    duration: Duration = None,
    frames: Frames = None,
    name: Name = "default",
    threads: Threads = None,
    metrics: Metrics = True,
    viewer: ViewerOption = Viewer.web,
    bind: Bind = None,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    log_format: Log = LogFormat.auto,
) -> int:
    """Play the sample clip as a live camera, over and over."""
    camera = {"name": "sample", "source": str(data_file("sample.mp4")), "loop": True, "focal_px": SAMPLE_FOCAL_PX}
    return start({**locals(), "cameras": [{**camera, "frames": frames}]})


def video(
    file: Annotated[str, typer.Argument(help="Video file.")],
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the file as a live camera would.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    engine: Engine = "blazepose",
    detector: Detector = "blazepose",
    max_people: MaxPeople = 4,
    subject: SubjectOption = Subject.largest,
    duration: Duration = None,
    frames: Frames = None,
    focal: Focal = None,
    name: Name = "default",
    threads: Threads = None,
    metrics: Metrics = True,
    viewer: ViewerOption = Viewer.web,
    bind: Bind = None,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    log_format: Log = LogFormat.auto,
) -> int:
    """Play a video file as a live camera."""
    if not realtime:
        raise UsageError("video: only live playing is built so far; add --realtime")
    if not Path(file).is_file():
        raise UsageError(f"No such video file: {file}. Give a file that exists (mp4, mkv, mov, avi, webm, ...)")
    camera = {"name": _camera_name(file), "source": file, "loop": loop, "frames": frames, "focal_px": focal}
    return start({**locals(), "cameras": [camera]})


def run(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file (YAML).")],
    duration: Duration = None,
    name: Annotated[str | None, typer.Option(help="Name of this daemon, instead of the file's.")] = None,
    record: Record = None,
    record_video: RecordVideo = False,
    display: Display = False,
    log_format: Log = LogFormat.auto,
) -> int:
    """Run a pipeline file: its cameras, engine and detector."""
    values = configuration.read(pipeline)
    given = {"duration_s": duration, "name": name, "record": record, "record_video": record_video, "display": display}
    return play(configuration.check({**values, **{key: value for key, value in given.items() if value}}), log_format)


def start(options: dict[str, Any]) -> int:
    """Make the configuration of a command's options and run it."""
    values = {
        "name": options["name"],
        "cameras": options["cameras"],
        "engine": options["engine"],
        "detector": options["detector"],
        "max_people": options["max_people"],
        "subject": options["subject"].value,
        "threads": options["threads"],
        "metrics": options["metrics"],
        "viewer": options["viewer"].value,
        "bind": options.get("bind"),
        "duration_s": options["duration"],
        "record": options["record"],
        "record_video": options["record_video"],
        "display": options["display"],
    }
    return play(configuration.check(values), options["log_format"])


def play(config: Config, log_format: LogFormat = LogFormat.auto) -> int:
    """Run a pipeline in the foreground and give the exit code."""
    import msgspec

    from remi_stream.cli.ready import make_ready
    from remi_stream.cli.statusline import StatusLine
    from remi_stream.cli.view import LinkTeller
    from remi_stream.folder import run_folder
    from remi_stream.supervisor import Supervisor

    style = "json" if log_format is LogFormat.json else "text"
    config = msgspec.structs.replace(config, log_format=style)
    start_log("remi", style)
    make_ready(config)
    fancy = log_format is LogFormat.auto and sys.stderr.isatty()
    with run_folder(config.name) as folder, StatusLine(config, style, fancy) as line:
        teller = LinkTeller(folder if config.viewer == "web" else None, line.log if fancy else partial(print, flush=True))

        def tick(stages: list[Health]) -> None:
            line.tick(stages)
            teller.tick()

        supervisor = Supervisor(config, folder, on_log=line.log, on_tick=tick)
        code = supervisor.run()
    if supervisor.reason:
        raise _failure(code, supervisor.reason)
    return code


def _failure(code: int, reason: str) -> RemiError:
    error = RemiError(reason)
    error.exit_code = code
    return error


def _camera_name(file: str) -> str:
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in Path(file).stem)
    return kept[:40] or "video"
