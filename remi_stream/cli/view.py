"""`remi-stream view`: the web viewer of a running pipeline."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from remi_stream.config import CONTROL, Camera, Config, port
from remi_stream.errors import RemiError
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
) -> int:
    """Print the link of a running pipeline's viewer; if it has none, be its viewer until Ctrl-C."""
    folder = folder_of(name)
    link = find(folder)
    if link:
        _tell(link, in_browser)
        return 0
    cameras = _cameras(name)
    _serve(Config(name=name, cameras=cameras, viewer="web", bind=bind), folder, in_browser)
    return 0


def _serve(config: Config, folder: Path, in_browser: bool) -> None:
    """Show what is on the bus, in this process."""
    from remi_stream.loops.sink import SinkLoop
    from remi_stream.order import Order
    from remi_stream.pipeline import row_of
    from remi_stream.sinks.web.stage import make

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    order = Order(stage="web", camera="", folder=str(folder), supervisor=os.getpid(), config=config)
    loop = SinkLoop(order, row_of("web"), make(order))
    loop.open()
    with contextlib.closing(loop), contextlib.suppress(KeyboardInterrupt):
        _tell(find(folder), in_browser)
        while loop.turn(time.monotonic()):
            continue


def _cameras(name: str) -> tuple[Camera, ...]:
    """The cameras of a running pipeline, waiting a moment for the first."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        known = ask_control(port(name, CONTROL), {"ask": "status"})["cameras"]
        if known:
            return tuple(Camera(name=camera, source="bus") for camera in known)
        time.sleep(0.2)
    raise RemiError(f"The pipeline {name!r} has no camera yet. Look at remi-stream status --name {name}")


def _tell(link: str, in_browser: bool) -> None:
    print(link, flush=True)
    if in_browser:
        webbrowser.open(link)
