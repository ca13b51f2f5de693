"""`remi-stream play` and `control play`: play a recording as if it were live; seek, pause and speed while it plays."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from remi_stream.cli.console import cell, plain_table, status_command, table_console
from remi_stream.cli.foreground import camera_name, run_source
from remi_stream.cli.options import FILTER_OPTION, pipeline_options, with_daemon, with_options
from remi_stream.errors import EXIT_DONE, RemiError
from remi_stream.messages import MAX_PLAYBACK_SPEED, MIN_PLAYBACK_SPEED
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import send_control_request

ENGINE_OPTIONS = ("engine", "detector", "max_people", "subject", "posture", "sensitivity", "threads", "filter")
"""Options that do not apply to recorded bodies; the filter is off by default, because they were filtered when recorded."""
SPEED_OPTION = typer.Option(help="Speed, relative to the recording.", min=MIN_PLAYBACK_SPEED, max=MAX_PLAYBACK_SPEED)
PLAYBACK_TIMEOUT_S, POLL_INTERVAL_S = 10.0, 0.1


@with_options(pipeline_options, into="options", without=ENGINE_OPTIONS)
def play(
    options: dict[str, Any],
    recording: Annotated[Path, typer.Argument(help="Folder written by --record or `video --out`.", metavar="RECORDING")],
    speed: Annotated[float, SPEED_OPTION] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    start_s: Annotated[float, typer.Option("--from", help="Start at this second.", min=0)] = 0.0,
    filter: Annotated[str, FILTER_OPTION] = "none",
) -> int:
    """Play a recording as a live camera."""
    from remi_stream.recordings.playback import PlaybackOptions, playback_source
    from remi_stream.recordings.reader import open_take

    name = camera_name(Path(open_take(recording).frames[0].camera))
    source = playback_source(recording.resolve(), PlaybackOptions(speed, start_s))
    return run_source({**options, "filter": filter}, {"name": name, "source": source, "loop": loop})


@with_daemon
def control_playback(
    daemon: DaemonAddress,
    seek_s: Annotated[float | None, typer.Option("--seek", help="Continue from this second.", min=0, metavar="SECOND")] = None,
    paused: Annotated[bool | None, typer.Option("--pause/--resume", help="Pause or resume.", show_default=False)] = None,
    speed: Annotated[float | None, SPEED_OPTION] = None,
    camera: Annotated[str | None, typer.Option(help="Camera of the recording (default: all).")] = None,
) -> int:
    """Seek, pause or change the speed of a recording that is played, or show its position."""
    changes = {"seek_s": seek_s, "speed": speed, "paused": paused, "camera": camera}
    answer = send_control_request(daemon, {"ask": "play", **{key: value for key, value in changes.items() if value is not None}})
    playing = _wait_until_applied(daemon, answer["command_id"], camera) if "command_id" in answer else answer["playing"]
    table_console().print(playback_table(playing))
    return EXIT_DONE


def playback_table(playing: dict[str, dict[str, Any]]) -> Table:
    """Table of the recordings that are played: position, length, speed and state."""
    table = plain_table("camera", "second", "of", "speed", "state")
    for camera, found in sorted(playing.items()):
        seconds = f"{found['position_s']:.2f}", f"{found['length_s']:.2f}"
        table.add_row(cell(camera), *seconds, f"{found['speed']:g}", "paused" if found["paused"] else cell(found["state"]))
    return table


def _wait_until_applied(daemon: DaemonAddress, command_id: int, camera: str | None) -> dict[str, dict[str, Any]]:
    """Poll until every recording has applied a command or has ended; return the positions. Raises RemiError on timeout."""
    request = {"ask": "play"} | ({"camera": camera} if camera else {})
    end = time.monotonic() + PLAYBACK_TIMEOUT_S
    while True:
        found: dict[str, dict[str, Any]] = send_control_request(daemon, request)["playing"]
        pending = [name for name, each in found.items() if each["command_id"] < command_id and each["state"] != "ended"]
        if not pending:
            return found
        if time.monotonic() > end:
            question = f"Is it running? {status_command(daemon.name)}"
            raise RemiError(f"{', '.join(pending)} did not respond within {PLAYBACK_TIMEOUT_S:.0f} s. {question}")
        time.sleep(POLL_INTERVAL_S)
