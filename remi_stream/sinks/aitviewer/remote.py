"""Feeding an aitviewer that somebody runs as a server with a daemon's people: newest only."""

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
"""How long until a server that is not there is called again."""
LISTEN_S = 0.01
MESHES_S, POSES_S = 1 / 30, 1 / 10
"""Updates are at least so far apart. A server makes a body of each pose before it draws, 12 ms of its processor or more; one that
gets more than it can make draws nothing at all, and nobody tells us.
"""


class Feeder:
    """Calls a server, and again when it has gone; tells it what is newest whenever it is free. tell: hears of both ends.

    updates: how often it was told something.
    """

    def __init__(self, show: Show, address: str, posed: bool, tell: Tell) -> None:
        self._show, self._posed, self._tell = show, posed, tell
        self._address, (self._host, self._port) = address, host_and_port(address)
        self._server: Server | None = None
        self._puppets = Puppets(posed)
        self._call_at = float("-inf")
        self._said: dict[str, str] = {}
        self.updates = 0

    def turn(self, now: float) -> None:
        """Tell the server what has come, if it is free."""
        if line := self._show.trouble(now) or (self._show.camera and f"looking through {self._show.camera}"):
            self._say("daemon", line)
        try:
            if self._server is None:
                self._call(now)
            elif self._server.free(now) and (messages := self._puppets.follow(self._show.meshes(now))):
                self._server.send(messages, now)
                self.updates += 1
        except OSError as error:
            self._say("server", f"no aitviewer at {self._address} ({error}); waiting for one: python -m aitviewer.server")
            self._hang_up()
            self._call_at = now + AGAIN_S

    def close(self) -> None:
        """Take our people out of the server's scene, and hang up."""
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.send(self._puppets.follow([]), time.monotonic())
        self._hang_up()

    def _call(self, now: float) -> None:
        if now >= self._call_at:
            self._server = Server(self._host, self._port, POSES_S if self._posed else MESHES_S)
            self._puppets = Puppets(self._posed)
            self._say("server", f"feeding the aitviewer at {self._address}")

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None

    def _say(self, of: str, line: str) -> None:
        if self._said.get(of) != line:
            self._said[of] = line
            self._tell(line)


def feed(daemon: str, address: str, posed: bool, duration_s: float | None, tell: Tell) -> None:
    """Feed a server until Ctrl-C. posed: it has SMPL's files and is told poses. Raises RemiError when SMPL is not imported."""
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
    """The parts of "host:port". Raises UsageError."""
    found = re.fullmatch(r"\[?([^\[\]\s/]+?)\]?:(\d{1,5})", address)
    if not found or not 0 < int(found[2]) < 65536:
        raise UsageError(f"--aitviewer-remote {address!r} must be HOST:PORT; aitviewer's own port is 8417")
    return found[1], int(found[2])
