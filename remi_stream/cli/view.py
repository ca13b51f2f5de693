"""`remi-stream view`: prints the viewer link of a running pipeline, or starts a viewer."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
import webbrowser
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from remi_stream.cli.options import ViewerHostOption, parse_size, with_daemon
from remi_stream.config import Config, parse_config
from remi_stream.errors import RemiError, UsageError
from remi_stream.paths import find_run_folder, run_folder
from remi_stream.sinks.web.access import read_viewer_link, shown_link
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import send_control_request

FIRST_CAMERA_TIMEOUT_S = 5.0
MIN_SIDE_PX = 64
"""Smallest width and height of aitviewer's window or video."""


@with_daemon
def view(
    daemon: DaemonAddress,
    bind: Annotated[str | None, typer.Option(help="Address the viewer listens on (default: loopback only).")] = None,
    viewer_host: ViewerHostOption = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the link in the browser, as its argument.")] = False,
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
    is_web = in_browser or bind is not None or bool(viewer_host)
    _check_options(aitviewer or render is not None, remote is not None, remote_smpl, is_web, size, duration)
    if aitviewer or render or remote:
        return _run_aitviewer(
            daemon, render, remote, remote_smpl, parse_size(size or "1280x720", MIN_SIDE_PX, even=True), duration
        )
    show_web = _view_remote if daemon.is_remote else _view_local
    return show_web(daemon, bind, viewer_host or [], in_browser)


def _view_local(daemon: DaemonAddress, bind: str | None, hosts: list[str], in_browser: bool) -> int:
    """Print the link of the daemon's web viewer, or run one with its run folder and port."""
    folder = find_run_folder(daemon.name)
    link = read_viewer_link(folder)
    if not link:
        _run_web_viewer(_viewer_config(daemon.name, daemon, bind, hosts), folder, in_browser)
        return 0
    if bind is not None or hosts:
        print(
            f"The pipeline {daemon.name!r} has a viewer; --bind and --viewer-host do not change it. "
            "Give them to the command that starts the pipeline",
            file=sys.stderr,
        )
    print(link, flush=True)
    if in_browser:
        webbrowser.open(link)
    return 0


def _view_remote(daemon: DaemonAddress, bind: str | None, hosts: list[str], in_browser: bool) -> int:
    """Run the web viewer of a daemon on TCP, with a run folder and a port of its own."""
    name = "view-" + re.sub(r"[^A-Za-z0-9.-]+", "-", daemon.name)[:35]
    config = _viewer_config(name, daemon, bind, hosts)
    with run_folder(name) as folder:
        _run_web_viewer(config, folder.path, in_browser, daemon)
    return 0


def _viewer_config(name: str, daemon: DaemonAddress, bind: str | None, hosts: list[str]) -> Config:
    return parse_config({"name": name, "cameras": _cameras(daemon), "viewer": "web", "bind": bind, "viewer_hosts": hosts})


def _check_options(window: bool, remote: bool, smpl: bool, web: bool, size: str | None, duration: float | None) -> None:
    """Raise UsageError for options of one viewer that were given to another."""
    if window and remote:
        raise UsageError("view: --aitviewer-remote uses another aitviewer; leave out --aitviewer and --render")
    if web and (window or remote):
        raise UsageError("view: --bind, --viewer-host and --open apply only to the web viewer, which is not started")
    if smpl and not remote:
        raise UsageError("view: --aitviewer-smpl needs a server; add --aitviewer-remote HOST:PORT")
    if (size and not window) or (duration and not (window or remote)):
        raise UsageError("view: --size and --duration need aitviewer; add --aitviewer or --render FILE.mp4")


def _run_aitviewer(
    daemon: DaemonAddress, render: Path | None, remote: str | None, smpl: bool, size: tuple[int, int], duration_s: float | None
) -> int:
    """Show bodies in aitviewer until its window is closed or Ctrl-C."""
    from remi_stream.sinks.aitviewer import viewer
    from remi_stream.sinks.aitviewer.remote import feed_server

    # Raises RemiError if the pipeline is not running: a subscriber would wait without a word.
    send_control_request(daemon, {"ask": "status"})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    write_line = partial(print, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if remote:
            feed_server(daemon, remote, smpl, duration_s, write_line)
        elif render:
            write_line(f"{render}: {viewer.render_video(daemon, render, size, duration_s, write_line)} frames")
        else:
            viewer.show_window(daemon, size, duration_s, write_line)
    return 0


def _run_web_viewer(config: Config, folder: Path, in_browser: bool, remote: DaemonAddress | None = None) -> None:
    """Run the web viewer in this process, as a subscriber of the bus."""
    from remi_stream.pipeline import find_stage
    from remi_stream.process.stage_loop import SinkLoop
    from remi_stream.sinks.web.stage import make_web_stage
    from remi_stream.stage import StageSpec

    stop = _StopSignal()
    spec = StageSpec(stage="web", camera="", run_folder=str(folder), supervisor_pid=os.getpid(), config=config, remote=remote)
    loop = SinkLoop(spec, find_stage("web"), make_web_stage(spec))
    loop.open()
    with contextlib.closing(loop):
        link = read_viewer_link(folder)
        print(shown_link(link, folder, sys.stdout.isatty()), flush=True)
        if in_browser:
            webbrowser.open(link)
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


def _cameras(daemon: DaemonAddress) -> list[dict[str, str | None]]:
    """Cameras of a running pipeline; waits for the first one. Raises RemiError after a timeout."""
    end = time.monotonic() + FIRST_CAMERA_TIMEOUT_S
    while time.monotonic() < end:
        status = send_control_request(daemon, {"ask": "status"})
        engines = status.get("engines", {})
        if status["cameras"]:
            return [{"name": camera, "source": "bus", "engine": engines.get(camera)} for camera in status["cameras"]]
        time.sleep(0.2)
    raise RemiError(f"The pipeline {daemon.name!r} has no camera yet. See: remi-stream status")
