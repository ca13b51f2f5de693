"""The clients of a REMI relay: whoever connects and sends packets, the newest of them wins."""

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
from remi_stream.formats.remi import Packet, read_packet

MOST = 8
"""So many connections at most; one more ends the oldest one that sends nothing of use."""
ACCEPT_PAUSE_S = 0.05
"""Between two connections, so that nobody fills the log."""
DEPTH = 16
"""So many packets may wait; whoever sends faster than they are published waits too."""

log = logging.getLogger("remi_stream")


class Client:
    """One connection. number: 1, 2, 3, ... in the order in which they came."""

    def __init__(self, number: int, connection: socket.socket, address: tuple[str, int]) -> None:
        self.number, self.connection = number, connection
        self.shown = f"{address[0]}:{address[1]}"

    def end(self) -> None:
        """Close the connection; whoever reads from it gets its end."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was lost a moment ago


class News(NamedTuple):
    """What a client did at a time, monotonic s: it sent a packet, or else it is gone. refused: why its connection was closed."""

    client: Client
    at: float
    packet: Packet | None = None
    refused: str = ""


class Clients:
    """Listens, and reads from each client in a thread of its own.

    A client whose packet is newer than the connection of the one in use takes its place. So one that comes back after its machine
    vanished is not kept out by its own dead connection, and one that only knocks disturbs nobody.
    """

    def __init__(self) -> None:
        self._news: queue.Queue[News] = queue.Queue(DEPTH)
        self._lock = threading.Lock()
        self._connected: list[Client] = []
        self._in_use: Client | None = None
        self._closing = threading.Event()

    def open(self, host: str, port: int) -> None:
        """Listen. Raises RemiError when that is not possible."""
        self._listener = listen(host, port)
        self._thread = threading.Thread(target=self._accept, name="clients", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> News | None:
        """Wait for news."""
        try:
            return self._news.get(timeout=timeout_s)
        except queue.Empty:
            if not self._thread.is_alive():
                raise RuntimeError("the thread that waits for REMI's clients has ended; see the traceback above") from None
            return None

    def close(self) -> None:
        """Listen no more and let all clients go."""
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in it; to close it would not
        self._thread.join()
        self._listener.close()
        with self._lock:
            for client in self._connected:
                client.end()

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
            self._admit(Client(number, connection, address[:2]))
            self._closing.wait(ACCEPT_PAUSE_S)

    def _admit(self, client: Client) -> None:
        with self._lock:
            idle = [each for each in self._connected if each is not self._in_use]
            if len(self._connected) >= MOST:
                idle[0].end()
                self._connected.remove(idle[0])
            self._connected.append(client)
        threading.Thread(target=self._read, args=(client,), name=client.shown, daemon=True).start()

    def _read(self, client: Client) -> None:
        refused = ""
        try:
            with client.connection, client.connection.makefile("rb", buffering=0) as file:
                while (packet := read_packet(file)) is not None and self._use(client):
                    self._news.put(News(client, time.monotonic(), packet))
        except RemiError as error:
            refused = str(error)
        except OSError as error:
            log.info("REMI client %s: %s", client.shown, (error.strerror or str(error)).lower())
        with self._lock:
            if client in self._connected:
                self._connected.remove(client)
        self._news.put(News(client, time.monotonic(), refused=refused))

    def _use(self, client: Client) -> bool:
        """Take this client's packets from now on; False when a newer one has taken its place."""
        with self._lock:
            before, self._in_use = self._in_use, max(self._in_use or client, client, key=lambda each: each.number)
            if before and before is not self._in_use:
                before.end()
            return self._in_use is client


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises RemiError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=MOST)
    except OSError as error:
        where = f"Cannot listen for REMI's packets on {host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise RemiError(f"{where}: another program does, perhaps REMI's relay. Stop it, or take another port") from None
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise RemiError(f"{where}: {str(why).lower()}. Give an address of this machine, or 0.0.0.0 for all of them") from None
