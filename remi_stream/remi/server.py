"""TCP server for clients of a REMI relay; the newest client that sends packets is used."""

from __future__ import annotations

import errno
import logging
import os
import queue
import socket
import threading
import time
from typing import NamedTuple

from remi_stream.errors import RemiError
from remi_stream.remi.wire import RemiPacket, read_packet

MAX_CONNECTIONS = 8
"""Maximum connections; one more closes the oldest one that is not in use."""
ACCEPT_PAUSE_S = 0.05
"""Pause between two connections, s, so that no client floods the log."""
QUEUE_DEPTH = 16
"""Queued packets; a client that sends faster than they are published is blocked (TCP back-pressure)."""

log = logging.getLogger("remi_stream")


class RemiClient:
    """A connection. number: 1, 2, 3, ... in order of arrival. address: HOST:PORT."""

    def __init__(self, number: int, connection: socket.socket, address: tuple[str, int]) -> None:
        self.number, self.connection = number, connection
        self.address = f"{address[0]}:{address[1]}"

    def shut_down(self) -> None:
        """Shut the connection down; its reader thread gets end of file."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already lost


class ClientEvent(NamedTuple):
    """A client sent a packet or disconnected."""

    client: RemiClient
    received_at: float
    """Monotonic s."""
    packet: RemiPacket | None = None
    """None: the client disconnected."""
    rejection: str = ""
    """Why its connection was closed; "" if the client closed it."""


class RemiServer:
    """Accepts clients and reads from each in its own thread.

    A client that connected later than the current one replaces it with its first packet. So a client that reconnects is not
    blocked by its own dead connection, and a connection that sends nothing (a port scan) has no effect.
    """

    def __init__(self) -> None:
        self._events: queue.Queue[ClientEvent] = queue.Queue(QUEUE_DEPTH)
        self._lock = threading.Lock()
        self._connected: list[RemiClient] = []
        self._current: RemiClient | None = None
        self._closing = threading.Event()

    def open(self, host: str, port: int) -> None:
        """Start to listen. Raises RemiError if the address cannot be used."""
        self._listener = open_listener(host, port)
        self._thread = threading.Thread(target=self._accept, name="clients", daemon=True)
        self._thread.start()

    def next_event(self, timeout_s: float) -> ClientEvent | None:
        """Wait for the next event; None after the timeout."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            if not self._thread.is_alive():
                raise RuntimeError("the thread that accepts REMI clients has ended; see the traceback above") from None
            return None

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() would not
        self._thread.join()
        self._listener.close()
        with self._lock:
            for client in self._connected:
                client.shut_down()

    def _accept(self) -> None:
        number = 0
        while not self._closing.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError as error:
                if not self._closing.is_set():
                    log.warning("a REMI client could not connect: %s", error)
                self._closing.wait(1.0)
                continue
            number += 1
            self._admit(RemiClient(number, connection, address[:2]))
            self._closing.wait(ACCEPT_PAUSE_S)

    def _admit(self, client: RemiClient) -> None:
        with self._lock:
            idle = [each for each in self._connected if each is not self._current]
            if len(self._connected) >= MAX_CONNECTIONS:
                # in order of arrival, so the first one is the oldest
                idle[0].shut_down()
                self._connected.remove(idle[0])
            self._connected.append(client)
        threading.Thread(target=self._read, args=(client,), name=client.address, daemon=True).start()

    def _read(self, client: RemiClient) -> None:
        refused = ""
        try:
            with client.connection, client.connection.makefile("rb", buffering=0) as file:
                while (packet := read_packet(file)) is not None and self._make_current(client):
                    self._events.put(ClientEvent(client, time.monotonic(), packet))
        except RemiError as error:
            refused = str(error)
        except OSError as error:
            log.info("REMI client %s: %s", client.address, (error.strerror or str(error)).lower())
        with self._lock:
            if client in self._connected:
                self._connected.remove(client)
        self._events.put(ClientEvent(client, time.monotonic(), rejection=refused))

    def _make_current(self, client: RemiClient) -> bool:
        """Make this client the current one; False if a newer one is."""
        with self._lock:
            previous, self._current = self._current, max(self._current or client, client, key=lambda each: each.number)
            if previous and previous is not self._current:
                previous.shut_down()
            return self._current is client


def open_listener(host: str, port: int) -> socket.socket:
    """Open a listening socket. Raises RemiError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        problem = f"Cannot listen for REMI's packets on {host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise RemiError(f"{problem}: the port is in use, perhaps by REMI's relay. Stop it, or use another port") from None
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise RemiError(f"{problem}: {str(why).lower()}. Give an address of this machine, or 0.0.0.0 for all of them") from None
