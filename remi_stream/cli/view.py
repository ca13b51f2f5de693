"""`remi-stream view`: the viewers of a running pipeline that are no part of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from remi_stream.config import CONTROL, Camera, Config, port
from remi_stream.errors import RemiError, UsageError
from remi_stream.folder import folder_of
from remi_stream.link import ask_control
from remi_stream.sinks.web.invitation import find

PATIENCE_S = 5.0


class LinkTeller:
    """Tells a pipeline's link once it is there: to the person, never to the log, for it may hold the token."""

    def __init__(self, folder: Path | None, write: Callable[[str], object]) -> None:
        self._folder, self._write = folder, write

    def tick(self) -> None:
        """Look whether the viewer is up; folder None: no viewer is expected."""
        link = find(self._folder) if self._folder else ""
        if link:
            self._folder = None
            self._write(f"viewer {link}")


def view(
    name: Annotated[str, typer.Option(help="Name of the daemon to look at.")] = "default",
    bind: Annotated[str | None, typer.Option(help="Let others look, who have the link: listen on this address.")] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the link in the browser.")] = False,
    aitviewer: Annotated[bool, typer.Option("--aitviewer", help="Look in aitviewer's window instead.")] = False,
    render: Annotated[
        Path | None, typer.Option(help="Film what aitviewer shows, without a window.", metavar="FILE.mp4", dir_okay=False)
    ] = None,
    remote: Annotated[
        str | None, typer.Option("--aitviewer-remote", help="Feed an aitviewer that runs as a server.", metavar="HOST:PORT")
    ] = None,
    remote_smpl: Annotated[
        bool, typer.Option("--aitviewer-smpl", help="That server has SMPL's files: send it poses instead of meshes.")
    ] = False,
    size: Annotated[str | None, typer.Option(help="Size of the window or the film (default 1280x720).", metavar="WxH")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop looking after so many seconds.", min=0.1)] = None,
) -> int:
    """Print the link of a running pipeline's viewer; if it has none, be its viewer until Ctrl-C."""
    _check_options(
        aitviewer or render is not None, remote is not None, remote_smpl, in_browser or bind is not None, size, duration
    )
    if aitviewer or render or remote:
        return _look(name, render, remote, remote_smpl, _size(size or "1280x720"), duration)
    folder = folder_of(name)
    link = find(folder)
    if link:
        _tell(link, in_browser)
        return 0
    cameras = _cameras(name)
    _serve(Config(name=name, cameras=cameras, viewer="web", bind=bind), folder, in_browser)
    return 0


def _check_options(room: bool, remote: bool, smpl: bool, web: bool, size: str | None, duration: float | None) -> None:
    """Raise UsageError for options of one viewer that were given to another."""
    if room and remote:
        raise UsageError("view: --aitviewer-remote feeds another aitviewer; leave out --aitviewer and --render")
    if web and (room or remote):
        raise UsageError("view: --bind and --open are for the web viewer, which is not started")
    if smpl and not remote:
        raise UsageError("view: --aitviewer-smpl is for a server; add --aitviewer-remote HOST:PORT")
    if (size and not room) or (duration and not (room or remote)):
        raise UsageError("view: --size and --duration are for aitviewer; add --aitviewer or --render FILE.mp4")


def _look(name: str, render: Path | None, remote: str | None, smpl: bool, size: tuple[int, int], duration_s: float | None) -> int:
    """Look with aitviewer, until its window is closed or Ctrl-C."""
    from remi_stream.sinks.aitviewer import looking
    from remi_stream.sinks.aitviewer.remote import feed

    ask_control(port(name, CONTROL), {"ask": "status"})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say = partial(print, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if remote:
            feed(name, remote, smpl, duration_s, say)
        elif render:
            say(f"{render}: {looking.film(name, render, size, duration_s, say)} pictures")
        else:
            looking.watch(name, size, duration_s, say)
    return 0


def _size(text: str) -> tuple[int, int]:
    """Width and height, px, of "1280x720". Raises UsageError."""
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if not found or any(int(side) % 2 or int(side) < 64 for side in found.groups()):
        raise UsageError(f"view: --size {text!r} must be two even numbers of 64 to 9998 pixels, as in 1280x720")
    return int(found[1]), int(found[2])


def _serve(config: Config, folder: Path, in_browser: bool) -> None:
    """Show what is on the bus, in this process."""
    from remi_stream.loops.sink import SinkLoop
    from remi_stream.order import Order
    from remi_stream.pipeline import row_of
    from remi_stream.sinks.web.stage import make

    stop = _StopAsked()
    order = Order(stage="web", camera="", folder=str(folder), supervisor=os.getpid(), config=config)
    loop = SinkLoop(order, row_of("web"), make(order))
    loop.open()
    with contextlib.closing(loop):
        _tell(find(folder), in_browser)
        while not stop.asked and loop.turn(time.monotonic()):
            continue


class _StopAsked:
    """Whether Ctrl-C or SIGTERM has come: asked for between two turns, for an exception could hit the web server anywhere."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def _cameras(name: str) -> tuple[Camera, ...]:
    """The cameras of a running pipeline, waiting a moment for the first."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        status = ask_control(port(name, CONTROL), {"ask": "status"})
        engines = status.get("engines", {})
        if status["cameras"]:
            return tuple(Camera(name=camera, source="bus", engine=engines.get(camera)) for camera in status["cameras"])
        time.sleep(0.2)
    raise RemiError(f"The pipeline {name!r} has no camera yet. Look at remi-stream status --name {name}")


def _tell(link: str, in_browser: bool) -> None:
    print(link, flush=True)
    if in_browser:
        webbrowser.open(link)
