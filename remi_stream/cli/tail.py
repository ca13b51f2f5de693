"""`remi-stream tail`: prints the published bodies, a line per frame."""

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

from remi_stream.config import BUS_SERVICE, daemon_port
from remi_stream.errors import RemiError
from remi_stream.link import LinkContext, Subscriber
from remi_stream.messages import Bodies, Person
from remi_stream.skeletons import JOINT_NAMES

POLL_INTERVAL_S = 0.25


def tail(
    name: Annotated[str, typer.Option(help="Name of the daemon.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, with all fields.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Stop after this many lines.", min=1)] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the first bodies.", min=0.1)] = 5.0,
) -> int:
    """Print the bodies of every frame until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = LinkContext()
    try:
        for index, bodies in enumerate(_read_bodies(context, daemon_port(name, BUS_SERVICE), timeout)):
            print(format_json(bodies) if as_json else format_line(bodies, time.monotonic()), flush=True)
            if index + 1 == count:
                break
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # stdout is flushed at exit, and its reader may be gone
    finally:
        context.close()
    return 0


def format_json(bodies: Bodies) -> str:
    """Format a message as JSON; arrays become lists, NaN becomes null."""
    return msgspec.json.encode(bodies, enc_hook=_to_json).decode()


def format_line(bodies: Bodies, now: float) -> str:
    """Format a message as text; the latency is measured here, at the subscriber."""
    people = len(bodies.people)
    head = f"{bodies.camera}  frame {bodies.frame_id}  {people} {'person' if people == 1 else 'people'}"
    latency_ms = (now - bodies.captured_at) * 1000
    return "  ".join([head, f"{latency_ms:.1f} ms", *map(_format_person, bodies.people)])


def pelvis_m(person: Person) -> np.ndarray:
    """Pelvis position (3,), m, camera frame; without a pelvis joint, the centre of the hips or of all joints."""
    names = JOINT_NAMES.get(person.effective_joints_skeleton, ())
    candidates = [joint for joint in (("pelvis",), ("left_hip", "right_hip")) if set(joint) <= set(names)]
    joints = person.joints_m[[names.index(name) for name in candidates[0]]] if candidates else person.joints_m
    return joints.mean(axis=0)


def _read_bodies(context: LinkContext, number: int, timeout_s: float) -> Iterator[Bodies]:
    bus = Subscriber(context, number, ["bodies/"])
    give_up_at = time.monotonic() + timeout_s
    while True:
        item = bus.receive(POLL_INTERVAL_S)
        if item is not None:
            give_up_at = float("inf")
            yield item[1]
        elif time.monotonic() > give_up_at:
            raise RemiError(
                f"No bodies on 127.0.0.1:{number} within {timeout_s:g} s. Start a pipeline (remi-stream demo), "
                "give its --name, or wait longer with --timeout"
            )


def _format_person(person: Person) -> str:
    x, y, z = pelvis_m(person) if len(person.joints_m) else (np.nan, np.nan, np.nan)
    return f"#{person.track_id} ({x:.2f}, {y:.2f}, {z:.2f}) m"


def _to_json(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise NotImplementedError(f"cannot print a {type(value).__name__}")
