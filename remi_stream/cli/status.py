"""`remi-stream status`: how a running pipeline is doing."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from remi_stream.cli.control import lag
from remi_stream.config import CONTROL, port
from remi_stream.link import ask_control

NARROWEST = 100
COLOURS = {"ready": "green", "live": "green", "failed": "red", "restarting": "yellow", "reconnecting": "yellow"}


def status(
    name: Annotated[str, typer.Option(help="Name of the daemon to ask.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> int:
    """Tell the stages and cameras of a running pipeline."""
    answer = ask_control(port(name, CONTROL), {"ask": "status"})
    if as_json:
        print(json.dumps(answer))
        return 0
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, NARROWEST))
    console.print(f"{answer['name']}: remi-stream {answer['version']}, {_makers(answer)}")
    console.print(stages(answer["stages"]), cameras(answer["cameras"]), sep="\n")
    return 0


def _makers(answer: dict[str, Any]) -> str:
    """Who makes the bodies: the engine, on whose boxes if anything looks for people."""
    boxes = f" on {answer['detector']} boxes" if "detect" in answer["stages"] else ""
    return f"{answer['engine']}{boxes}"


def stages(found: dict[str, dict[str, Any]]) -> Table:
    """Give a row for each stage's process."""
    table = _table("stage", "state", "pid", "restarts", "cpu s", "memory MB")
    for name, health in sorted(found.items()):
        figures = (health["pid"], health["restarts"], f"{health['cpu_s']:.1f}", f"{health['memory_bytes'] / 1e6:.0f}")
        table.add_row(name, _state(health["state"]), *map(str, figures))
    return table


def cameras(found: dict[str, dict[str, Any]]) -> Table:
    """Give a row for each camera; the counts are those of its present epoch."""
    table = _table("camera", "state", "fps", "captured", "published", "dropped", "filter", "lag")
    for name, facts in sorted(found.items()):
        smoothed = facts["filter"], lag(facts["filter_lag_s"])
        figures = (f"{facts['fps']:g}", facts["captured"], facts["published"], _drops(facts["dropped"]), *smoothed)
        table.add_row(name, _state(facts["state"]) + _position(facts.get("playing")), *map(str, figures))
    return table


def _position(playing: dict[str, Any] | None) -> str:
    """Where a recording that is played is."""
    if not playing:
        return ""
    return f"{', paused' if playing['paused'] else ''} at {playing['position_s']:.1f} of {playing['length_s']:.1f} s"


def _table(first: str, second: str, *figures: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    table.add_column(second)
    for name in figures:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _state(state: str) -> str:
    colour = COLOURS.get(state)
    return f"[{colour}]{state}[/{colour}]" if colour else state


def _drops(dropped: dict[str, int]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f"{sum(dropped.values())} ({reasons})" if reasons else "0"
