"""`remi-stream control`: changes a running pipeline."""

from __future__ import annotations

import enum
import inspect
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from remi_stream.cli.options import with_options
from remi_stream.config import CONTROL_SERVICE, daemon_port
from remi_stream.errors import EXIT_DONE, RemiError, UsageError
from remi_stream.filters.presets import PRESETS
from remi_stream.filters.registry import FILTERS, OPTION_HELP, resolve_filter
from remi_stream.recordings.playback import MAX_SPEED, MIN_SPEED
from remi_stream.transport.link import send_control_request

FILTER_LOAD_TIMEOUT_S = 60.0
"""SmoothNet is compiled by OpenVINO when it is first chosen."""
PLAYBACK_TIMEOUT_S, POLL_INTERVAL_S = 10.0, 0.1
MIN_WIDTH = 120

app = typer.Typer(help="Change a running pipeline.", no_args_is_help=True)

DaemonName = Annotated[str, typer.Option(help="Name of the daemon.")]


class OnOff(str, enum.Enum):
    """Whether recording is on."""

    on = "on"
    off = "off"


def filter_parameters() -> None:
    """One option per filter parameter; the signature is built from `OPTIONS` below."""


filter_parameters.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter(
            option,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[float | None, typer.Option(help=what, rich_help_panel="Filter options")],
        )
        for option, what in OPTION_HELP.items()
    ]
)


@app.command("filter")
@with_options(filter_parameters, into="options")
def choose_filter(
    options: dict[str, Any],
    choice: Annotated[str | None, typer.Argument(metavar="NAME", help="Filter or REMI preset (default: show it).")] = None,
    camera: Annotated[str | None, typer.Option(help="Camera (default: all).")] = None,
    name: DaemonName = "default",
) -> int:
    """Change the filter of a running pipeline, or show it. `remi-stream control filters` lists all filters."""
    given = {option: value for option, value in options.items() if value is not None}
    if given and choice is None:
        flag = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{flag} belongs to a filter; name the filter, too: remi-stream control filter one_euro --{flag} ...")
    question: dict[str, Any] = {"ask": "filter"} | ({"camera": camera} if camera else {})
    if choice is not None:
        resolve_filter(choice, given)
    found = _request_filters(name, question | ({"name": choice, "options": given} if choice is not None else {}))
    if choice is not None:
        found = _wait_until_loaded(name, question, found)
    _print(filter_table(found))
    return EXIT_DONE


@app.command("filters")
def list_filters() -> int:
    """List the filters, their options, and REMI's presets."""
    _print(*filter_list_tables())
    return EXIT_DONE


@app.command("record")
def record(switch: Annotated[OnOff, typer.Argument(help="on starts a new recording.")], name: DaemonName = "default") -> int:
    """Start or pause recording; the pipeline must have been started with --record."""
    control = daemon_port(name, CONTROL_SERVICE)
    if "recorder" not in send_control_request(control, {"ask": "status"})["stages"]:
        raise RemiError(f"The pipeline {name!r} has no recorder. Start it with one: remi-stream ... --record DIR")
    answer = send_control_request(control, {"ask": "record", "on": switch is OnOff.on})
    print(f"recording is {answer['record']}")
    return EXIT_DONE


@app.command("play")
def play(
    seek_s: Annotated[float | None, typer.Option("--seek", help="Continue from this second.", min=0, metavar="SECOND")] = None,
    paused: Annotated[bool | None, typer.Option("--pause/--resume", help="Pause or resume.", show_default=False)] = None,
    speed: Annotated[float | None, typer.Option(help="Speed, relative to the recording.", min=MIN_SPEED, max=MAX_SPEED)] = None,
    camera: Annotated[str | None, typer.Option(help="Camera of the recording (default: all).")] = None,
    name: DaemonName = "default",
) -> int:
    """Seek, pause or change the speed of a recording that is played, or show its position."""
    changes = {"seek_s": seek_s, "speed": speed, "paused": paused, "camera": camera}
    control = daemon_port(name, CONTROL_SERVICE)
    answer = send_control_request(control, {"ask": "play", **{key: value for key, value in changes.items() if value is not None}})
    _print(
        playback_table(
            _wait_until_applied(control, answer["command_id"], camera) if "command_id" in answer else answer["playing"]
        )
    )
    return EXIT_DONE


def playback_table(playing: dict[str, dict[str, Any]]) -> Table:
    """Table of the recordings that are played: position, length, speed and state."""
    table = _table("camera", "second", "of", "speed", "state")
    for camera, found in sorted(playing.items()):
        seconds = f"{found['position_s']:.2f}", f"{found['length_s']:.2f}"
        table.add_row(camera, *seconds, f"{found['speed']:g}", "paused" if found["paused"] else found["state"])
    return table


def filter_table(filters: dict[str, dict[str, Any]]) -> Table:
    """Table of the filters, a row per camera."""
    table = _table("camera", "filter", "options", "lag", "state")
    for camera, found in sorted(filters.items()):
        name = found["name"] if found["name"] == found["kind"] else f"{found['name']} = {found['kind']}"
        table.add_row(
            camera, name, format_options(found["options"]), format_lag(found["lag_s"]), found.get("fault") or found["state"]
        )
    return table


def filter_list_tables() -> Iterable[Table]:
    """Tables of the filters, their options and the presets."""
    filters = _table("filter", "what it does", "options and defaults")
    for name, known in FILTERS.items():
        filters.add_row(name, known.summary, format_options(known.options))
    yield filters
    meanings = _table("option", "what it means")
    for option, what in OPTION_HELP.items():
        meanings.add_row(f"--{option.replace('_', '-')}", what)
    yield meanings
    presets = _table("REMI preset", "filter", "options")
    for name in PRESETS:
        choice = resolve_filter(name)
        presets.add_row(name, choice.kind, format_options(choice.options))
    yield presets


def format_options(options: Mapping[str, float]) -> str:
    """Format options as "name value, name value"."""
    return ", ".join(f"{option} {value:g}" for option, value in options.items())


def format_lag(seconds: float | None) -> str:
    """Format the lag of a filter."""
    return "" if seconds is None else f"{seconds * 1000:.0f} ms"


def _request_filters(name: str, question: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = send_control_request(daemon_port(name, CONTROL_SERVICE), question)["filters"]
    return found


def _wait_until_loaded(name: str, question: dict[str, Any], found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Poll until the new filter is loaded; return the filters. Raises RemiError if it fails to load."""
    end = time.monotonic() + FILTER_LOAD_TIMEOUT_S
    while any(each["state"] == "loading" for each in found.values()) and time.monotonic() < end:
        time.sleep(POLL_INTERVAL_S)
        found = _request_filters(name, question)
    for camera, each in found.items():
        if "fault" in each:
            raise RemiError(f"{camera}: {each['fault']}")
    return found


def _wait_until_applied(control: int, command_id: int, camera: str | None) -> dict[str, dict[str, Any]]:
    """Poll until every recording has applied a command or has ended; return the positions. Raises RemiError on timeout."""
    question = {"ask": "play"} | ({"camera": camera} if camera else {})
    end = time.monotonic() + PLAYBACK_TIMEOUT_S
    while True:
        found: dict[str, dict[str, Any]] = send_control_request(control, question)["playing"]
        pending = [name for name, each in found.items() if each["command_id"] < command_id and each["state"] != "ended"]
        if not pending:
            return found
        if time.monotonic() > end:
            raise RemiError(
                f"{', '.join(pending)} did not respond within {PLAYBACK_TIMEOUT_S:.0f} s. Is it running? remi-stream status"
            )
        time.sleep(POLL_INTERVAL_S)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _print(*tables: Table) -> None:
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(width=max(console.width, MIN_WIDTH), highlight=False)
    for index, table in enumerate(tables):
        console.print(*([""] if index else []), table, sep="\n")
