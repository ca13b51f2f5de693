"""`remi-stream control`: changes a running pipeline."""

from __future__ import annotations

import enum
import inspect
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from remi_stream.cli.console import cell, plain_table, table_console
from remi_stream.cli.options import with_daemon, with_options
from remi_stream.cli.play import control_playback
from remi_stream.errors import EXIT_DONE, RemiError, UsageError
from remi_stream.filters.registry import FILTERS, OPTION_HELP, PRESETS, resolve_filter
from remi_stream.redaction import printable
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import send_control_request

FILTER_LOAD_TIMEOUT_S = 60.0
"""SmoothNet is compiled by OpenVINO when it is first chosen."""
POLL_INTERVAL_S = 0.1

app = typer.Typer(help="Change a running pipeline.", no_args_is_help=True)


class OnOff(str, enum.Enum):
    """Whether recording is on."""

    on = "on"
    off = "off"


def filter_parameters() -> None:
    """One option per filter parameter; the signature is built from `OPTION_HELP`."""


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
@with_daemon
@with_options(filter_parameters, into="options")
def choose_filter(
    options: dict[str, Any],
    daemon: DaemonAddress,
    choice: Annotated[str | None, typer.Argument(metavar="NAME", help="Filter or REMI preset (default: show it).")] = None,
    camera: Annotated[str | None, typer.Option(help="Camera (default: all).")] = None,
) -> int:
    """Change the filter of a running pipeline, or show it. `remi-stream control filters` lists all filters."""
    given = {option: value for option, value in options.items() if value is not None}
    if given and choice is None:
        flag = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{flag} belongs to a filter; name the filter, too: remi-stream control filter one_euro --{flag} ...")
    request: dict[str, Any] = {"ask": "filter"} | ({"camera": camera} if camera else {})
    if choice is not None:
        resolve_filter(choice, given)
    found = _request_filters(daemon, request | ({"name": choice, "options": given} if choice is not None else {}))
    if choice is not None:
        found = _wait_until_loaded(daemon, request, found)
    _print(filter_table(found))
    return EXIT_DONE


@app.command("filters")
def list_filters() -> int:
    """List the filters, their options, and REMI's presets."""
    _print(*filter_list_tables())
    return EXIT_DONE


@app.command("record")
@with_daemon
def record(
    switch: Annotated[OnOff, typer.Argument(help="on starts a new recording, off ends it.")], daemon: DaemonAddress
) -> int:
    """Start or stop recording; the pipeline must have been started with --record."""
    if "recorder" not in send_control_request(daemon, {"ask": "status"})["stages"]:
        raise RemiError(f"The pipeline {daemon.name!r} has no recorder. Start it with one: remi-stream ... --record DIR")
    answer = send_control_request(daemon, {"ask": "record", "on": switch is OnOff.on})
    print(printable(f"recording is {answer['record']}"))
    return EXIT_DONE


app.command("play")(control_playback)


def filter_table(filters: dict[str, dict[str, Any]]) -> Table:
    """Table of the filters, a row per camera."""
    table = plain_table("camera", "filter", "options", "lag", "state")
    for camera, found in sorted(filters.items()):
        name = found["name"] if found["name"] == found["kind"] else f"{found['name']} = {found['kind']}"
        table.add_row(
            *map(cell, (camera, name, format_options(found["options"]), format_lag(found["lag_s"]))),
            cell(found.get("fault") or found["state"]),
        )
    return table


def filter_list_tables() -> Iterable[Table]:
    """Tables of the filters, their options and the presets."""
    filters = plain_table("filter", "what it does", "options and defaults")
    for name, known in FILTERS.items():
        filters.add_row(name, known.summary, format_options(known.options))
    yield filters
    meanings = plain_table("option", "what it means")
    for option, what in OPTION_HELP.items():
        meanings.add_row(f"--{option.replace('_', '-')}", what)
    yield meanings
    presets = plain_table("REMI preset", "filter", "options")
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


def _request_filters(daemon: DaemonAddress, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = send_control_request(daemon, request)["filters"]
    return found


def _wait_until_loaded(
    daemon: DaemonAddress, request: dict[str, Any], found: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Poll until the new filter is loaded; return the filters. Raises RemiError if it fails to load."""
    end = time.monotonic() + FILTER_LOAD_TIMEOUT_S
    while any(each["state"] == "loading" for each in found.values()) and time.monotonic() < end:
        time.sleep(POLL_INTERVAL_S)
        found = _request_filters(daemon, request)
    for camera, each in found.items():
        if "fault" in each:
            raise RemiError(f"{camera}: {each['fault']}")
    return found


def _print(*tables: Table) -> None:
    console = table_console()
    for index, table in enumerate(tables):
        console.print(*([""] if index else []), table, sep="\n")
