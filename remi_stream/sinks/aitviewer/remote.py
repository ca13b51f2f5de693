"""Sends a daemon's newest people to a remote aitviewer server (`python -m aitviewer.server`)."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable

from remi_stream.body.retarget import known_body
from remi_stream.body.smpl_file import SMPL_FILE
from remi_stream.errors import RemiError, UsageError
from remi_stream.models.catalogue import find_model_file
from remi_stream.models.store import missing_file_hint
from remi_stream.sinks.aitviewer.puppets import RemotePeople
from remi_stream.sinks.aitviewer.server import AitviewerConnection
from remi_stream.sinks.aitviewer.show import BodySubscriber

Report = Callable[[str], None]

RECONNECT_S = 1.0
"""Time between two connection attempts, s."""
POLL_S = 0.01
"""Time to wait for bus messages in each cycle, s."""
MESH_INTERVAL_S, POSE_INTERVAL_S = 1 / 30, 1 / 10
"""Minimum time between updates, s. The server computes a body from each pose before it draws, 12 ms of CPU time or more; with
more updates than it can process it draws nothing at all, without an error.
"""


class RemoteFeeder:
    """A reconnecting client that sends the newest people whenever the server is ready.

    report: gets lines about daemon and server. updates: the number of updates sent.
    """

    def __init__(self, subscriber: BodySubscriber, address: str, as_poses: bool, report: Report) -> None:
        self._show, self._posed, self._report = subscriber, as_poses, report
        self._address, (self._host, self._port) = address, parse_host_port(address)
        self._connection: AitviewerConnection | None = None
        self._people = RemotePeople(as_poses)
        self._connect_at = float("-inf")
        self._reported: dict[str, str] = {}
        self.updates = 0

    def tick(self, now: float) -> None:
        """Send what has changed, if the server is ready; connect if it is not connected. now: monotonic s."""
        if line := self._show.problem(now) or (self._show.camera and f"showing camera {self._show.camera}"):
            self._report_once("daemon", line)
        try:
            if self._connection is None:
                self._connect(now)
            elif self._connection.is_ready(now) and (messages := self._people.updates(self._show.current_meshes(now))):
                self._connection.send(messages, now)
                self.updates += 1
        except OSError as error:
            line = f"no aitviewer at {self._address} ({error}); reconnecting. Start one: python -m aitviewer.server"
            self._report_once("server", line)
            self._disconnect()
            self._connect_at = now + RECONNECT_S

    def close(self) -> None:
        """Remove our people from the server's scene and disconnect."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(self._people.updates([]), time.monotonic())
        self._disconnect()

    def _connect(self, now: float) -> None:
        if now >= self._connect_at:
            self._connection = AitviewerConnection(self._host, self._port, POSE_INTERVAL_S if self._posed else MESH_INTERVAL_S)
            self._people = RemotePeople(self._posed)
            self._report_once("server", f"connected to the aitviewer at {self._address}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _report_once(self, subject: str, line: str) -> None:
        if self._reported.get(subject) != line:
            self._reported[subject] = line
            self._report(line)


def feed_server(daemon: str, address: str, as_poses: bool, duration_s: float | None, report: Report) -> None:
    """Send people to a server until Ctrl-C. as_poses: for a server with SMPL's files. Raises RemiError without SMPL here."""
    if as_poses and known_body().name != "smpl":
        raise RemiError(f"--aitviewer-smpl needs SMPL here too. {missing_file_hint(find_model_file(SMPL_FILE))}")
    end = time.monotonic() + (duration_s or float("inf"))
    with contextlib.closing(BodySubscriber(daemon)) as show:
        with contextlib.closing(RemoteFeeder(show, address, as_poses, report)) as feeder, contextlib.suppress(KeyboardInterrupt):
            while time.monotonic() < end:
                show.receive(POLL_S)
                feeder.tick(time.monotonic())
        report(f"{address}: {feeder.updates} updates")


def parse_host_port(address: str) -> tuple[str, int]:
    """Parse "host:port". Raises UsageError."""
    match = re.fullmatch(r"\[?([^\[\]\s/]+?)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UsageError(f"--aitviewer-remote {address!r} must be HOST:PORT; aitviewer's own port is 8417")
    return match[1], int(match[2])
