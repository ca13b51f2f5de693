"""`remi-stream play`: plays a recording as if it were live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from remi_stream.capture.tempo import MAX_SPEED, MIN_SPEED
from remi_stream.cli.options import FILTER_OPTION, pipeline_options, with_options
from remi_stream.cli.play import camera_name, run_source

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
    from remi_stream.capture.replay import PlaybackOptions, playback_source
    from remi_stream.offline.opening import open_take

    name = camera_name(Path(open_take(recording).frames[0].camera))
    source = playback_source(recording.resolve(), PlaybackOptions(speed, start_s))
    return run_source({**options, "filter": filter}, {"name": name, "source": source, "loop": loop})
