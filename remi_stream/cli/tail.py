"""`remi-stream tail`: a line for everything that is published."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import msgspec
import numpy as np
import typer

from remi_stream.config import BUS, port
from remi_stream.errors import RemiError
from remi_stream.link import Context, Subscriber
from remi_stream.messages import Bodies, Person
from remi_stream.skeletons import JOINTS

PATIENCE_S = 0.25


def tail(
    name: Annotated[str, typer.Option(help="Name of the daemon to listen to.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with everything that is known.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Stop after so many lines.", min=1)] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the first bodies.", min=0.1)] = 5.0,
) -> int:
    """Print a line for every frame's bodies, until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = Context()
    try:
        for index, bodies in enumerate(_listen(context, port(name, BUS), timeout)):
            print(json_line(bodies) if as_json else line(bodies, time.monotonic()), flush=True)
            if index + 1 == count:
                break
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would flush to a reader who is gone
    finally:
        context.close()
    return 0


def json_line(bodies: Bodies) -> str:
    """Give a message as one JSON object; arrays become lists, "not a number" becomes null."""
    return msgspec.json.encode(bodies, enc_hook=_plain).decode()


def line(bodies: Bodies, now: float) -> str:
    """Give a message in words; its latency is measured here, at the end of the bus."""
    people = len(bodies.people)
    head = f"{bodies.camera}  frame {bodies.frame_id}  {people} {'person' if people == 1 else 'people'}"
    latency_ms = (now - bodies.captured_at) * 1000
    return "  ".join([head, f"{latency_ms:.1f} ms", *map(_where, bodies.people)])


def pelvis_m(person: Person) -> np.ndarray:
    """Give where the pelvis is, (3,) m, camera frame: between the hips, or the middle of all joints if it has none."""
    names = JOINTS.get(person.skeleton_of_joints, ())
    known = [joint for joint in (("pelvis",), ("left_hip", "right_hip")) if set(joint) <= set(names)]
    joints = person.joints_m[[names.index(name) for name in known[0]]] if known else person.joints_m
    return joints.mean(axis=0)


def _listen(context: Context, number: int, timeout_s: float) -> Iterator[Bodies]:
    bus = Subscriber(context, number, ["bodies/"])
    give_up_at = time.monotonic() + timeout_s
    while True:
        item = bus.read(PATIENCE_S)
        if item is not None:
            give_up_at = float("inf")
            yield item[1]
        elif time.monotonic() > give_up_at:
            raise RemiError(
                f"No bodies on 127.0.0.1:{number} within {timeout_s:g} s. Start a pipeline (remi-stream demo), "
                "name it with --name, or wait longer with --timeout"
            )


def _where(person: Person) -> str:
    x, y, z = pelvis_m(person) if len(person.joints_m) else (np.nan, np.nan, np.nan)
    return f"#{person.track_id} ({x:.2f}, {y:.2f}, {z:.2f}) m"


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise NotImplementedError(f"cannot print a {type(value).__name__}")
