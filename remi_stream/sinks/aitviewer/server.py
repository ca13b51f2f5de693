"""A WebSocket connection to an aitviewer server. It only sends: messages of the server are discarded unread."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from threading import Event

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

CONNECT_TIMEOUT_S = 3.0
"""Timeout of a connection attempt, s."""
SEND_TIMEOUT_S = 10.0
"""A server that acknowledges nothing for longer is considered lost, s."""


class AitviewerConnection:
    """Sends one batch at a time, at most every interval_s, acknowledged by a WebSocket pong. All its errors are OSError."""

    def __init__(self, host: str, port: int, interval_s: float) -> None:
        plain = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
        plain.settimeout(None)
        # websockets' synchronous `send` has no timeout: the kernel's ends a send to a server that does not read.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SEND_TIMEOUT_S), 0))
        with _translated_errors():
            self._socket = connect(
                f"ws://{host}:{port}",
                sock=plain,
                compression=None,
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=1.0,
                max_size=None,
            )
        self._interval_s = interval_s
        self._acknowledged = Event()
        self._acknowledged.set()
        self._sent_at = float("-inf")

    def is_ready(self, now: float) -> bool:
        """Whether the last batch is acknowledged and the interval is over. now: monotonic s."""
        # Unread messages would fill the receive queue, and pongs could not pass.
        with _translated_errors(), contextlib.suppress(TimeoutError):
            while True:
                self._socket.recv(timeout=0)
        if not self._acknowledged.is_set() and now - self._sent_at > SEND_TIMEOUT_S:
            raise OSError(f"no answer for {SEND_TIMEOUT_S:.0f} s")
        return self._acknowledged.is_set() and now - self._sent_at >= self._interval_s

    def send(self, messages: list[bytes], now: float) -> None:
        """Send messages, then a ping, whose pong acknowledges them. now: monotonic s."""
        with _translated_errors():
            for each in messages:
                self._socket.send(each)
            self._acknowledged, self._sent_at = self._socket.ping(), now

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError), _translated_errors():
            self._socket.close()


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except WebSocketException as error:
        raise OSError(str(error) or type(error).__name__) from None
