"""Sends a daemon's newest people to a remote aitviewer server (`python -m aitviewer.server`)."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable

from remi_stream.body.retarget import known_body
from remi_stream.body.smpl_file import SMPL
from remi_stream.errors import RemiError, UsageError
from remi_stream.models.catalogue import known_file
from remi_stream.models.store import what_to_bring
from remi_stream.sinks.aitviewer.puppets import Puppets
from remi_stream.sinks.aitviewer.server import Server
from remi_stream.sinks.aitviewer.show import Show

Tell = Callable[[str], None]

AGAIN_S = 1.0
"""Time between two connection attempts, s."""
LISTEN_S = 0.01
"""Time to wait for bus messages in each cycle, s."""
MESHES_S, POSES_S = 1 / 30, 1 / 10
"""Minimum time between updates, s. The server computes a body from each pose before it draws, 12 ms of CPU time or more; with
more updates than it can process it draws nothing at all, without an error.
"""


class Feeder:
    """A reconnecting client that sends the newest people whenever the server is ready.

    report: gets lines about daemon and server. updates: the number of updates sent.
    """

    def __init__(self, show: Show, address: str, posed: bool, tell: Tell) -> None:
        self._show, self._posed, self._report = show, posed, tell
        self._address, (self._host, self._port) = address, host_and_port(address)
        self._connection: Server | None = None
        self._people = Puppets(posed)
        self._connect_at = float("-inf")
        self._reported: dict[str, str] = {}
        self.updates = 0

    def turn(self, now: float) -> None:
        """Send what has changed, if the server is ready; connect if it is not connected. now: monotonic s."""
        if line := self._show.trouble(now) or (self._show.camera and f"showing camera {self._show.camera}"):
            self._report_once("daemon", line)
        try:
            if self._connection is None:
                self._connect(now)
            elif self._connection.free(now) and (messages := self._people.follow(self._show.meshes(now))):
                self._connection.send(messages, now)
                self.updates += 1
        except OSError as error:
            line = f"no aitviewer at {self._address} ({error}); reconnecting. Start one: python -m aitviewer.server"
            self._report_once("server", line)
            self._disconnect()
            self._connect_at = now + AGAIN_S

    def close(self) -> None:
        """Remove our people from the server's scene and disconnect."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(self._people.follow([]), time.monotonic())
        self._disconnect()

    def _connect(self, now: float) -> None:
        if now >= self._connect_at:
            self._connection = Server(self._host, self._port, POSES_S if self._posed else MESHES_S)
            self._people = Puppets(self._posed)
            self._report_once("server", f"connected to the aitviewer at {self._address}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _report_once(self, subject: str, line: str) -> None:
        if self._reported.get(subject) != line:
            self._reported[subject] = line
            self._report(line)


def feed(daemon: str, address: str, posed: bool, duration_s: float | None, tell: Tell) -> None:
    """Send people to a server until Ctrl-C. as_poses: for a server with SMPL's files. Raises RemiError without SMPL here."""
    if posed and known_body().name != "smpl":
        raise RemiError(f"--aitviewer-smpl needs SMPL here too. {what_to_bring(known_file(SMPL))}")
    end = time.monotonic() + (duration_s or float("inf"))
    with contextlib.closing(Show(daemon)) as show:
        with contextlib.closing(Feeder(show, address, posed, tell)) as feeder, contextlib.suppress(KeyboardInterrupt):
            while time.monotonic() < end:
                show.listen(LISTEN_S)
                feeder.turn(time.monotonic())
        tell(f"{address}: {feeder.updates} updates")


def host_and_port(address: str) -> tuple[str, int]:
    """Parse "host:port". Raises UsageError."""
    match = re.fullmatch(r"\[?([^\[\]\s/]+?)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UsageError(f"--aitviewer-remote {address!r} must be HOST:PORT; aitviewer's own port is 8417")
    return match[1], int(match[2])
