"""`remi-stream status` and `tail`: show the state of a running pipeline, and the bodies that it publishes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from rich.table import Table

from remi_stream.cli.console import cell, plain_table, table_console
from remi_stream.cli.control import format_lag
from remi_stream.cli.options import with_daemon
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, Person
from remi_stream.redaction import printable
from remi_stream.sinks.live_view import count_text, state_text
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import LinkContext, Subscriber, send_control_request

POLL_INTERVAL_S = 0.25
STATE_COLOURS = {"ready": "green", "live": "green", "failed": "red", "restarting": "yellow", "reconnecting": "yellow"}


@with_daemon
def status(
    daemon: DaemonAddress,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show the state of a running pipeline: its stages and cameras."""
    answer = send_control_request(daemon, {"ask": "status"})
    if as_json:
        print(json.dumps(answer))
        return 0
    console = table_console()
    console.print(cell(f"{answer['name']}: remi-stream {answer['version']}, {_engine_label(answer)}"))
    console.print(stage_table(answer["stages"]), camera_table(answer["cameras"], answer["engines"], answer["stages"]), sep="\n")
    for stage, health in sorted(answer["stages"].items()):
        if health["reason"] and health["state"] != "ready":
            console.print(printable(f"{stage} is {health['state']}: {health['reason']}"), markup=False, soft_wrap=True)
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
        table.add_row(cell(name), _state(health["state"]), *map(cell, cells))
    return table


def camera_table(
    found: dict[str, dict[str, Any]], names: Iterable[str] = (), stages: dict[str, dict[str, Any]] | None = None
) -> Table:
    """Table of the cameras; the counts are those of the current epoch. names: of all cameras, also of those without a status."""
    table = _table("camera", "state", "fps", "captured", "published", "dropped", "filter", "lag")
    processes = {label.partition("/")[2]: health["state"] for label, health in (stages or {}).items()}
    for name in sorted({*found, *names}):
        facts, process = found.get(name), processes.get(name, "ready")
        if facts is None or process not in ("ready", "done"):
            table.add_row(cell(name), _state("starting" if process == "ready" else process), *[""] * 6)
            continue
        filter_cells = facts["filter"], format_lag(facts["filter_lag_s"])
        cells = (f"{facts['fps']:g}", facts["captured"], facts["published"], _drops(facts["dropped"]), *filter_cells)
        state = state_text(facts["state"], facts.get("state_s", 0.0), facts["captured"])
        table.add_row(cell(name), _state(facts["state"], state) + _position(facts.get("playing")), *map(cell, cells))
    return table


def _position(playing: dict[str, Any] | None) -> str:
    """Position of a recording that is played; "" for a camera."""
    if not playing:
        return ""
    return f"{', paused' if playing['paused'] else ''} at {playing['position_s']:.1f} of {playing['length_s']:.1f} s"


def _table(first: str, second: str, *numeric: str) -> Table:
    table = plain_table(first, second)
    for name in numeric:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _state(state: str, text: str = "") -> str:
    colour = STATE_COLOURS.get(state)
    shown = cell(text or state)
    return f"[{colour}]{shown}[/{colour}]" if colour else shown


def _drops(dropped: dict[str, int]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f"{sum(dropped.values())} ({reasons})" if reasons else "0"


@with_daemon
def tail(
    daemon: DaemonAddress,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, with all fields.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Stop after this many lines.", min=1)] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the first bodies.", min=0.1)] = 5.0,
) -> int:
    """Print the bodies of every frame until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = LinkContext()
    try:
        for index, bodies in enumerate(_read_bodies(context, daemon, timeout)):
            print(format_json(bodies) if as_json else printable(format_line(bodies, time.monotonic())), flush=True)
            if index + 1 == count:
                break
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # stdout is flushed at exit, and its reader may be gone
    finally:
        context.close()
    return 0


def format_json(bodies: Bodies) -> str:
    """Format a message as JSON without control characters; arrays become lists, NaN becomes null."""
    text = msgspec.json.encode(bodies, enc_hook=_to_json).decode()
    return text if text.isprintable() else "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def format_line(bodies: Bodies, now: float) -> str:
    """Format a message as text; the latency is measured here, at the subscriber."""
    head = f"{bodies.camera}  frame {bodies.frame_id}  {count_text(len(bodies.people), 'person', 'people')}"
    latency_ms = (now - bodies.captured_at) * 1000
    return "  ".join([head, f"{latency_ms:.1f} ms", *map(_format_person, bodies.people)])


def pelvis_m(person: Person) -> np.ndarray:
    """Pelvis position (3,), m, camera frame; without a pelvis joint, the centre of the hips or of all joints."""
    names = JOINT_NAMES.get(person.effective_joints_skeleton, ())
    candidates = [joint for joint in (("pelvis",), ("left_hip", "right_hip")) if set(joint) <= set(names)]
    joints = person.joints_m[[names.index(name) for name in candidates[0]]] if candidates else person.joints_m
    return joints.mean(axis=0)


def _read_bodies(context: LinkContext, daemon: DaemonAddress, timeout_s: float) -> Iterator[Bodies]:
    bus = Subscriber(context, daemon, ["bodies/"])
    give_up_at = time.monotonic() + timeout_s
    while True:
        item = bus.receive(POLL_INTERVAL_S)
        if item is not None:
            give_up_at = float("inf")
            yield item[1]
        elif time.monotonic() > give_up_at:
            raise RemiError(
                f"No bodies on {daemon.bus} within {timeout_s:g} s. Start a pipeline (remi-stream demo), "
                "give its --name, or wait longer with --timeout"
            )


def _format_person(person: Person) -> str:
    x, y, z = pelvis_m(person) if len(person.joints_m) else (np.nan, np.nan, np.nan)
    return f"#{person.track_id} ({x:.2f}, {y:.2f}, {z:.2f}) m"


def _to_json(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise NotImplementedError(f"cannot print a {type(value).__name__}")
