"""A connection to a REMI relay that comes and goes: fed with what is newest whenever it takes something."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable

from remi_stream.messages import Bodies

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
CONNECT_S, LOOK_S, LEAVE_S = 2.0, 0.5, 0.5
SLOW_S = 1.0
"""A relay that has not taken a packet for so long does not read."""
SEND_BUFFER_BYTES = 4096
"""Asked of the kernel, which takes its least: a few packets."""

log = logging.getLogger("remi_stream")


class Feed:
    """A thread that sends the newest bodies as soon as the relay takes them. Each is sent whole or dropped whole.

    make: the packet of bodies; only of those that are sent. sent, dropped: bodies; at most one more waits.
    """

    def __init__(self, host: str, port: int, make: Callable[[Bodies], bytes]) -> None:
        self.sent = self.dropped = 0
        self._host, self._port = host, port
        self._shown = f"{host}:{port}"
        self._make = make
        self._news = threading.Condition()
        self._waiting: Bodies | None = None
        self._connection: socket.socket | None = None
        self._sending_since: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Look for the relay from now on."""
        self._thread.start()

    def offer(self, bodies: Bodies | None) -> None:
        """Send this next, instead of what still waits."""
        with self._news:
            self.dropped += self._waiting is not None
            self._waiting = bodies
            self._news.notify()

    def state(self, now: float) -> str:
        """How it goes, for people."""
        if self._connection is None:
            return f"looking for {self._shown}"
        since = self._sending_since
        return f"{self._shown} does not read" if since and now - since > SLOW_S else f"connected to {self._shown}"

    def check(self) -> None:
        """Raise if the thread has ended by an error."""
        if self._thread.ident and not self._thread.is_alive() and not self._stopping.is_set():
            raise RuntimeError("the thread that feeds the relay has ended by an error; see the traceback above")

    def stop(self) -> None:
        """Let go of the relay; one that does not read gets a part of the last packet."""
        self._stopping.set()
        with self._news:
            self._news.notify()
        if self._thread.ident:
            self._thread.join(LEAVE_S)
        connection = self._connection
        if connection is not None:
            close(connection)

    def _run(self) -> None:
        pause_s, told = FIRST_PAUSE_S, False
        while not self._stopping.is_set():
            began = time.monotonic()
            why, found = self._serve()
            if (found or not told) and not self._stopping.is_set():
                log.warning("REMI relay %s: %s; looking for it", self._shown, why)
            told = True
            if time.monotonic() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _serve(self) -> tuple[str, bool]:
        """Feed the relay until it is lost; say why it was, and whether it had been found."""
        try:
            connection = connect(self._host, self._port)
        except OSError as error:
            return reason(error), False
        with connection:
            log.info("REMI relay %s: connected", self._shown)
            self.offer(None)
            self._connection = connection
            try:
                self._send_all(connection)
            except OSError as error:
                return reason(error), True
            finally:
                self._connection = self._sending_since = None
        return "it has closed the connection", True

    def _send_all(self, connection: socket.socket) -> None:
        """Send until the relay closes the connection, or a stop is wanted. Raises OSError."""
        while not self._stopping.is_set() and not closed(connection):
            bodies = self._take()
            if bodies is not None:
                self._send(connection, bodies)

    def _take(self) -> Bodies | None:
        """The newest bodies; waits for them for a moment."""
        with self._news:
            if self._waiting is None and not self._stopping.is_set():
                self._news.wait(LOOK_S)
            bodies, self._waiting = self._waiting, None
            return bodies

    def _send(self, connection: socket.socket, bodies: Bodies) -> None:
        self._sending_since = time.monotonic()
        try:
            connection.sendall(self._make(bodies))
        except OSError:
            self.dropped += 1
            raise
        self.sent += 1
        self._sending_since = None


def connect(host: str, port: int) -> socket.socket:
    """A connection whose kernel keeps no more than a few packets back. Raises OSError."""
    connection = socket.create_connection((host, port), CONNECT_S)
    if connection.getsockname() == connection.getpeername():
        connection.close()  # a port that nobody listens on, by chance given to this very connection
        raise ConnectionRefusedError(None, "nobody listens")
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def closed(connection: socket.socket) -> bool:
    """Whether the relay has closed its end; it never sends anything."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(4096)


def close(connection: socket.socket) -> None:
    """End a connection, also under a thread that sends."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was lost a moment ago


def reason(error: OSError) -> str:
    """Why there is no connection, in a few words."""
    return (error.strerror or str(error) or type(error).__name__).lower()
