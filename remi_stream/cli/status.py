"""`remi-stream status`: shows the state of a running pipeline."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from remi_stream.cli.control import format_lag
from remi_stream.config import CONTROL_SERVICE, daemon_port
from remi_stream.link import send_control_request

MIN_WIDTH = 100
STATE_COLOURS = {"ready": "green", "live": "green", "failed": "red", "restarting": "yellow", "reconnecting": "yellow"}


def status(
    name: Annotated[str, typer.Option(help="Name of the daemon.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show the state of a running pipeline: its stages and cameras."""
    answer = send_control_request(daemon_port(name, CONTROL_SERVICE), {"ask": "status"})
    if as_json:
        print(json.dumps(answer))
        return 0
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, MIN_WIDTH))
    console.print(f"{answer['name']}: remi-stream {answer['version']}, {_engine_label(answer)}")
    console.print(stage_table(answer["stages"]), camera_table(answer["cameras"]), sep="\n")
    return 0


def _engine_label(answer: dict[str, Any]) -> str:
    """The engine, and the detector if there is a detection stage."""
    boxes = f" on {answer['detector']} boxes" if "detect" in answer["stages"] else ""
    return f"{answer['engine']}{boxes}"


def stage_table(found: dict[str, dict[str, Any]]) -> Table:
    """Table of the stages: process, state, restarts, CPU time and memory."""
    table = _table("stage", "state", "pid", "restarts", "cpu s", "memory MB")
    for name, health in sorted(found.items()):
        cells = (health["pid"], health["restarts"], f"{health['cpu_s']:.1f}", f"{health['memory_bytes'] / 1e6:.0f}")
        table.add_row(name, _state(health["state"]), *map(str, cells))
    return table


def camera_table(found: dict[str, dict[str, Any]]) -> Table:
    """Table of the cameras; the counts are those of the current epoch."""
    table = _table("camera", "state", "fps", "captured", "published", "dropped", "filter", "lag")
    for name, facts in sorted(found.items()):
        filter_cells = facts["filter"], format_lag(facts["filter_lag_s"])
        cells = (f"{facts['fps']:g}", facts["captured"], facts["published"], _drops(facts["dropped"]), *filter_cells)
        table.add_row(name, _state(facts["state"]) + _position(facts.get("playing")), *map(str, cells))
    return table


def _position(playing: dict[str, Any] | None) -> str:
    """Position of a recording that is played; "" for a camera."""
    if not playing:
        return ""
    return f"{', paused' if playing['paused'] else ''} at {playing['position_s']:.1f} of {playing['length_s']:.1f} s"


def _table(first: str, second: str, *numeric: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    table.add_column(second)
    for name in numeric:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _state(state: str) -> str:
    colour = STATE_COLOURS.get(state)
    return f"[{colour}]{state}[/{colour}]" if colour else state


def _drops(dropped: dict[str, int]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f"{sum(dropped.values())} ({reasons})" if reasons else "0"
