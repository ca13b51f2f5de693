"""ZeroMQ sockets: context, limits, CURVE on TCP, polling. Only transport/ imports zmq.

No peer is trusted: messages have a maximum size and a limited number is read per turn of a loop. What is invalid is counted and
dropped, and never raises.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from remi_stream.errors import RemiError, port_in_use_error
from remi_stream.transport.address import ClientKeys, ServerKeys

MAX_MESSAGES_PER_TURN = 1000
"""Maximum number of messages that one call of `pump` reads from a socket."""
HANDSHAKE_MS = 3000
"""Time after which a connection that has not authenticated is closed, ms: it holds a descriptor until then."""
ZAP_DOMAIN = "remi-stream"
"""Domain of all CURVE sockets (rfc.zeromq.org/spec/27)."""
HEARTBEAT_MS = 5000
"""Interval of heartbeats; a peer that has answered none for three intervals is disconnected, ms."""

log = logging.getLogger("remi_stream")


class LinkContext:
    """ZeroMQ context of this process; `close` closes all sockets without blocking."""

    def __init__(self) -> None:
        self._zmq = zmq.Context()
        self._gatekeeper: Gatekeeper | None = None

    def create_socket(self, kind: int, max_bytes: int) -> zmq.Socket[bytes]:
        """Create a socket that this context will close. max_bytes: a peer that sends a larger part is disconnected."""
        socket = self._zmq.socket(kind)
        socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)
        return socket

    def admit_only(self, is_allowed: Callable[[str], bool]) -> None:
        """Let only clients with an allowed public key connect to the CURVE sockets of this context; asked at each connection."""
        self._gatekeeper = Gatekeeper(self._zmq, is_allowed)

    def check(self) -> None:
        """Raise RuntimeError if no client can connect any more."""
        if self._gatekeeper:
            self._gatekeeper.check()

    def close(self) -> None:
        """Close every socket; those already closed with a linger still send what they have queued."""
        if self._gatekeeper:
            self._gatekeeper.close()
        self._zmq.destroy(linger=0)


class Gatekeeper:
    """Lets only authorised clients connect to the CURVE sockets of a ZeroMQ context (ZAP, rfc.zeromq.org/spec/27)."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], is_allowed: Callable[[str], bool]) -> None:
        self._is_allowed = is_allowed
        self._has_failed = False
        self._thread = ThreadAuthenticator(context)
        self._thread.start()
        self._thread.configure_curve_callback(domain=ZAP_DOMAIN, credentials_provider=self)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Whether a client with this public key may connect; called by pyzmq."""
        try:
            return self._is_allowed(key.decode())
        except OSError as error:  # no descriptors left; raised, it would end the thread
            if not self._has_failed:
                log.warning("a client cannot connect, because its key cannot be looked up: %s", error.strerror)
            self._has_failed = True
            return False

    def check(self) -> None:
        """Raise RuntimeError if the thread has ended: no client can connect any more."""
        if not self._thread.is_alive():
            raise RuntimeError("the thread that admits clients has ended")

    def close(self) -> None:
        """Stop the thread."""
        if not self._thread.is_alive():  # or `stop` would wait until the thread that has ended takes its message
            self._thread.pipe.close()
            self._thread.pipe = None  # type: ignore[assignment]
        self._thread.stop()


class InvalidMessages:
    """Count of the invalid messages that came to a socket; the first is logged."""

    def __init__(self, where: str) -> None:
        self.count = 0
        self._where = where

    def add(self, reason: object) -> None:
        """Count one."""
        self.count += 1
        if self.count == 1:
            log.warning("an invalid message came to %s and was dropped: %.200s; others are only counted", self._where, reason)


def read_queued(socket: zmq.Socket[bytes], copy: bool = True) -> Iterator[list[Any]]:
    """Parts of each message that has arrived, for one turn."""
    for _ in range(MAX_MESSAGES_PER_TURN):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK, copy=copy)
        except zmq.Again:
            return


def connect(socket: zmq.Socket[bytes], address: str, keys: ClientKeys | None = None) -> None:
    """Connect a socket. keys: for CURVE on TCP."""
    _prepare(socket, address, keys)
    socket.connect(address)


def bind(socket: zmq.Socket[bytes], address: str, keys: ServerKeys | None = None) -> None:
    """Bind a socket. keys: for CURVE on TCP. Raises RemiError."""
    _prepare(socket, address, keys)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        if error.errno == zmq.EADDRINUSE and address.startswith("tcp"):
            raise port_in_use_error(port) from None
        if error.errno in (errno.ENODEV, errno.EADDRNOTAVAIL):
            raise RemiError(f"{host} is no address of this machine; `ip address` lists them, 0.0.0.0 is all of them") from None
        raise RemiError(f"Cannot bind {address}: {error}") from None


def _prepare(socket: zmq.Socket[bytes], address: str, keys: ServerKeys | ClientKeys | None) -> None:
    """Set the options of a socket, before it is bound or connected. keys: None for a socket without CURVE."""
    if not address.startswith("tcp:"):
        return
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS)
    if keys is None:
        return
    socket.curve_secretkey = keys.secret.encode()
    socket.curve_publickey = keys.public.encode()
    if isinstance(keys, ServerKeys):
        socket.curve_server = True
        # without it every client that has the server's public key may connect while there is no gatekeeper
        socket.setsockopt_string(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    else:
        socket.curve_serverkey = keys.server.encode()


class SocketPoller:
    """Polls sockets and file descriptors."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()

    def register(self, socket: zmq.Socket[bytes] | int) -> None:
        """Register a socket or file descriptor for reading."""
        self._poller.register(socket, zmq.POLLIN)

    def wait(self, timeout_s: float) -> None:
        """Wait until one is readable, or the timeout."""
        self._poller.poll(max(0, int(timeout_s * 1000)))
