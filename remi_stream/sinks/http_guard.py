"""What every HTTP server of a sink checks: the name it was called by, and how many connections there are.

A web page that a user has open can send requests to this machine under a name of its own (DNS rebinding); the Host header
has it. And any program can open connections and say nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Protocol

MAX_HEAD_BYTES = 16384
"""Maximum size of a request's head."""
HEAD_TIMEOUT_S = 5.0
"""Time from connecting to the end of the request's head, s."""
MAX_WAITING, MAX_ANSWERING = 256, 64
"""Most connections without a whole request, and most that are being answered; more end the oldest ones.

An event loop accepts at most `ACCEPTED_AT_ONCE` before it reads what they sent: one that sends at once is never the oldest.
"""
ACCEPTED_AT_ONCE, BACKLOG = 64, 4096
"""Connections that an event loop accepts in one turn, and that the kernel keeps until then: a full queue costs a client 1 s."""
HOST_PATTERN = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:[0-9]{1,5})?")


class HostNames:
    """The names in Host headers that mean this machine: its own, localhost, `more`, and every IP address.

    DNS rebinding needs a name: an address cannot be rebound. with_local: also NAME.local, under which mDNS finds this machine.
    """

    def __init__(self, more: Iterable[str] = (), with_local: bool = False) -> None:
        own = {socket.gethostname().lower(), socket.getfqdn().lower()}
        local = {f"{name.partition('.')[0]}.local" for name in own} if with_local else set()
        self._names = {"localhost", *own, *local, *(name.lower() for name in more)}

    def allows(self, host: str) -> bool:
        """Whether a Host header (name or address, maybe with a port) means this machine."""
        found = HOST_PATTERN.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].strip("[]").removesuffix(".")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True


class Transport(Protocol):
    """What is needed of an asyncio transport."""

    def abort(self) -> None:
        """Close the connection at once."""
        ...


class ConnectionLimits:
    """The connections of one server that wait for a request or for the end of its answer.

    None is turned away: when there are too many, the oldest one of the address with most of them ends. So a client that asks at
    once is answered, however many others wait.
    """

    def __init__(self) -> None:
        self._waiting: dict[Transport, Hashable] = {}
        self._answering: dict[Transport, Hashable] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._answering)

    def add(self, transport: Transport, address: Hashable) -> None:
        """Count a new connection, which waits for its request."""
        _make_room(self._waiting, MAX_WAITING)
        self._waiting[transport] = address

    def answer(self, transport: Transport) -> None:
        """Count a connection as being answered: its request is complete."""
        address = self._waiting.pop(transport, None)
        _make_room(self._answering, MAX_ANSWERING)
        self._answering[transport] = address

    def remove(self, transport: Transport) -> None:
        """Forget a connection: it has ended, or it became a WebSocket."""
        self._waiting.pop(transport, None)
        self._answering.pop(transport, None)

    def abort_all(self) -> None:
        """End all connections."""
        for transport in [*self._waiting, *self._answering]:
            transport.abort()


def _make_room(connections: dict[Transport, Hashable], most: int) -> None:
    if len(connections) < most:
        return
    crowded = Counter(connections.values()).most_common(1)[0][0]
    oldest = next(transport for transport, address in connections.items() if address == crowded)
    del connections[oldest]
    oldest.abort()
