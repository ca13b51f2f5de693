"""`remi-stream view`: prints the viewer link of a running pipeline, or starts a viewer."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer

from remi_stream.config import BUS_SERVICE, CONTROL_SERVICE, CameraConfig, Config, daemon_port
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, Person
from remi_stream.paths import run_folder_path
from remi_stream.sinks.web.access import read_viewer_link
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.transport.link import LinkContext, Subscriber, send_control_request

# `remi-stream tail`: prints the published bodies, a line per frame.


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


FIRST_CAMERA_TIMEOUT_S = 5.0


class LinkPrinter:
    """Prints the viewer's link once it exists; never logs it, because it may contain the access token."""

    def __init__(self, folder: Path | None, write: Callable[[str], object]) -> None:
        self._folder, self._write = folder, write

    def tick(self) -> None:
        """Print the link if the viewer is up; folder None: no viewer is expected."""
        link = read_viewer_link(self._folder) if self._folder else ""
        if link:
            self._folder = None
            self._write(f"viewer {link}")


def view(
    name: Annotated[str, typer.Option(help="Name of the daemon.")] = "default",
    bind: Annotated[str | None, typer.Option(help="Address the viewer listens on, for others who have its link.")] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the link in the browser.")] = False,
    aitviewer: Annotated[bool, typer.Option("--aitviewer", help="Open aitviewer's window instead.")] = False,
    render: Annotated[
        Path | None, typer.Option(help="Render a video with aitviewer, without a window.", metavar="FILE.mp4", dir_okay=False)
    ] = None,
    remote: Annotated[
        str | None, typer.Option("--aitviewer-remote", help="Send bodies to an aitviewer server.", metavar="HOST:PORT")
    ] = None,
    remote_smpl: Annotated[
        bool, typer.Option("--aitviewer-smpl", help="Send poses instead of meshes; the server needs the SMPL files.")
    ] = False,
    size: Annotated[str | None, typer.Option(help="Size of the window or video (default: 1280x720).", metavar="WxH")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after this many seconds.", min=0.1)] = None,
) -> int:
    """Print the link of the web viewer; if the pipeline has none, run one until Ctrl-C."""
    _check_options(
        aitviewer or render is not None, remote is not None, remote_smpl, in_browser or bind is not None, size, duration
    )
    if aitviewer or render or remote:
        return _run_aitviewer(name, render, remote, remote_smpl, _size(size or "1280x720"), duration)
    folder = run_folder_path(name)
    link = read_viewer_link(folder)
    if link:
        _print_link(link, in_browser)
        return 0
    cameras = _cameras(name)
    _run_web_viewer(Config(name=name, cameras=cameras, viewer="web", bind=bind), folder, in_browser)
    return 0


def _check_options(window: bool, remote: bool, smpl: bool, web: bool, size: str | None, duration: float | None) -> None:
    """Raise UsageError for options of one viewer that were given to another."""
    if window and remote:
        raise UsageError("view: --aitviewer-remote uses another aitviewer; leave out --aitviewer and --render")
    if web and (window or remote):
        raise UsageError("view: --bind and --open apply only to the web viewer, which is not started")
    if smpl and not remote:
        raise UsageError("view: --aitviewer-smpl needs a server; add --aitviewer-remote HOST:PORT")
    if (size and not window) or (duration and not (window or remote)):
        raise UsageError("view: --size and --duration need aitviewer; add --aitviewer or --render FILE.mp4")


def _run_aitviewer(
    name: str, render: Path | None, remote: str | None, smpl: bool, size: tuple[int, int], duration_s: float | None
) -> int:
    """Show bodies in aitviewer until its window is closed or Ctrl-C."""
    from remi_stream.sinks.aitviewer import viewer
    from remi_stream.sinks.aitviewer.remote import feed_server

    send_control_request(daemon_port(name, CONTROL_SERVICE), {"ask": "status"})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    write_line = partial(print, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if remote:
            feed_server(name, remote, smpl, duration_s, write_line)
        elif render:
            write_line(f"{render}: {viewer.render_video(name, render, size, duration_s, write_line)} frames")
        else:
            viewer.show_window(name, size, duration_s, write_line)
    return 0


def _size(text: str) -> tuple[int, int]:
    """Parse "1280x720" into width and height, px. Raises UsageError."""
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if not found or any(int(side) % 2 or int(side) < 64 for side in found.groups()):
        raise UsageError(f"view: --size {text!r} must be two even numbers of 64 to 9998 pixels, as in 1280x720")
    return int(found[1]), int(found[2])


def _run_web_viewer(config: Config, folder: Path, in_browser: bool) -> None:
    """Run the web viewer in this process, as a subscriber of the bus."""
    from remi_stream.pipeline import find_stage
    from remi_stream.process.sink_loop import SinkLoop
    from remi_stream.sinks.web.stage import make_web_stage
    from remi_stream.stage import StageSpec

    stop = _StopSignal()
    order = StageSpec(stage="web", camera="", run_folder=str(folder), supervisor_pid=os.getpid(), config=config)
    loop = SinkLoop(order, find_stage("web"), make_web_stage(order))
    loop.open()
    with contextlib.closing(loop):
        _print_link(read_viewer_link(folder), in_browser)
        while not stop.is_set and loop.run_once(time.monotonic()):
            continue


class _StopSignal:
    """Flag set by SIGINT and SIGTERM, polled between two turns: an exception could interrupt the web server anywhere."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)

    def _set(self, *_: object) -> None:
        self.is_set = True


def _cameras(name: str) -> tuple[CameraConfig, ...]:
    """Cameras of a running pipeline; waits for the first one. Raises RemiError after a timeout."""
    end = time.monotonic() + FIRST_CAMERA_TIMEOUT_S
    while time.monotonic() < end:
        status = send_control_request(daemon_port(name, CONTROL_SERVICE), {"ask": "status"})
        engines = status.get("engines", {})
        if status["cameras"]:
            return tuple(CameraConfig(name=camera, source="bus", engine=engines.get(camera)) for camera in status["cameras"])
        time.sleep(0.2)
    raise RemiError(f"The pipeline {name!r} has no camera yet. See: remi-stream status --name {name}")


def _print_link(link: str, in_browser: bool) -> None:
    print(link, flush=True)
    if in_browser:
        webbrowser.open(link)
