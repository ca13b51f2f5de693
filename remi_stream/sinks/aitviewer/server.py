"""A connection to an aitviewer that somebody runs as a server. Outwards only: what it sends is thrown away unread."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from threading import Event

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

CONNECT_S = 3.0
STUCK_S = 10.0
"""A server that takes nothing for so long has gone."""


class Server:
    """Takes what is sent when it is free, at most every interval_s; never more is under way. Every fault of it is an OSError."""

    def __init__(self, host: str, port: int, interval_s: float) -> None:
        plain = socket.create_connection((host, port), CONNECT_S)
        plain.settimeout(None)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(STUCK_S), 0))
        with _as_os_error():
            self._socket = connect(
                f"ws://{host}:{port}", sock=plain, compression=None, open_timeout=CONNECT_S, close_timeout=1.0, max_size=None
            )
        self._interval_s = interval_s
        self._arrived = Event()
        self._arrived.set()
        self._sent_at = float("-inf")

    def free(self, now: float) -> bool:
        """Whether everything that was sent has arrived, and it is not too soon for more."""
        with _as_os_error(), contextlib.suppress(TimeoutError):
            while True:
                self._socket.recv(timeout=0)
        if not self._arrived.is_set() and now - self._sent_at > STUCK_S:
            raise OSError(f"it has taken nothing for {STUCK_S:.0f} s")
        return self._arrived.is_set() and now - self._sent_at >= self._interval_s

    def send(self, messages: list[bytes], now: float) -> None:
        """Send messages, then a question that is answered once they have arrived."""
        with _as_os_error():
            for each in messages:
                self._socket.send(each)
            self._arrived, self._sent_at = self._socket.ping(), now

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError), _as_os_error():
            self._socket.close()


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except WebSocketException as error:
        raise OSError(str(error) or type(error).__name__) from None
