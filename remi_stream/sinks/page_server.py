"""A small HTTP server of a few pages: each request is answered and its connection closed.

Ours, because the libraries at hand (uvicorn, aiohttp, http.server) have no deadline for a request's head, and no bound of
connections per address: a few sockets that drip stop them. What they would do beside that is little.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast
from urllib.parse import unquote

from remi_stream.config import LOOPBACK_HOST
from remi_stream.errors import listen_error
from remi_stream.sinks.http_guard import ACCEPTED_AT_ONCE, BACKLOG, HEAD_TIMEOUT_S, MAX_HEAD_BYTES, ConnectionLimits, HostNames

SEND_TIMEOUT_S = 10.0
"""Time that a client has to read its answer, s."""
MAX_SHOWN_PATH = 100
"""Of an unknown path, at most this many characters are repeated in the answer."""

log = logging.getLogger("remi_stream")


class HttpPage(NamedTuple):
    """An HTTP response."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    """Content type."""


STATUS_TEXTS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 421: "Misdirected Request"}
STATUS_TEXTS |= {500: "Internal Server Error", 503: "Service Unavailable"}


def open_server_socket(what: str, host: str, port: int) -> socket.socket:
    """Open a listening socket. Raises RemiError when the port is in use or the address is another machine's."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise listen_error(what, host, port, error) from None


class HttpPageServer:
    """An HTTP server on a thread. pages: renders the page of each path. host: the address that it listens on."""

    def __init__(
        self,
        port: int,
        pages: Mapping[str, Callable[[], HttpPage]],
        host: str = LOOPBACK_HOST,
        names: HostNames | None = None,
    ) -> None:
        self._pages, self._names = pages, names or HostNames()
        self._limits = ConnectionLimits()
        self._socket = open_server_socket("metrics", host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def start(self) -> None:
        """Serve on a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self._socket.close()

    def answer(self, head: bytes) -> HttpPage:
        """The page that a request's head asks for."""
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        parts = first.split(" ")
        hosts = [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.lower() == "host"]
        if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/") or len(hosts) > 1:
            return HttpPage(b"Not a valid HTTP request.\n", 400)
        if parts[0] not in ("GET", "HEAD"):
            return HttpPage(b"Only GET and HEAD are allowed.\n", 405)
        if hosts and not self._names.allows(hosts[0]):
            return HttpPage(b"Use this machine's IP address or name, or a name given with --viewer-host.\n", 421)
        return self._page(parts[1].partition("?")[0])

    def _page(self, path: str) -> HttpPage:
        if path not in self._pages:
            shown = unquote(path[:MAX_SHOWN_PATH]).encode("utf-8", "replace").decode()
            return HttpPage(f"No such page: {shown}. There are: {', '.join(self._pages)}\n".encode(), 404)
        try:
            return self._pages[path]()
        except Exception:  # the process edge of a request: the client gets an answer, the log the traceback
            log.exception("page %s failed", path)
            return HttpPage(b"This page failed; the log has the reason.\n", 500)

    def _run(self) -> None:
        create = self._loop.create_server(
            lambda: _PageConnection(self, self._loop, self._limits), sock=self._socket, backlog=ACCEPTED_AT_ONCE
        )
        server = self._loop.run_until_complete(create)
        self._socket.listen(BACKLOG)
        self._loop.run_forever()
        server.close()
        self._limits.abort_all()
        self._loop.run_until_complete(asyncio.sleep(0))  # the transports close in the loop's next turn


class _PageConnection(asyncio.Protocol):
    """One connection: one request, one answer."""

    def __init__(self, server: HttpPageServer, loop: asyncio.AbstractEventLoop, limits: ConnectionLimits) -> None:
        self._server, self._loop, self._limits = server, loop, limits
        self._head = b""
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request, for a limited time."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._limits.add(self._transport, peer[0] if peer else None)
        self._deadline = self._loop.call_later(HEAD_TIMEOUT_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Answer once the request's head is complete."""
        if self._answered:
            return
        self._head += data
        if b"\r\n\r\n" in self._head[:MAX_HEAD_BYTES]:
            self._answer(self._head.partition(b"\r\n\r\n")[0])
        elif len(self._head) >= MAX_HEAD_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._deadline.cancel()
        self._limits.remove(self._transport)

    def _answer(self, head: bytes) -> None:
        self._answered = True
        self._deadline.cancel()
        self._deadline = self._loop.call_later(SEND_TIMEOUT_S, self._transport.abort)
        self._limits.answer(self._transport)
        page = self._server.answer(head)
        lines = [f"HTTP/1.1 {page.status} {STATUS_TEXTS[page.status]}", f"Content-Type: {page.content_type}"]
        lines += [f"Content-Length: {len(page.body)}", "X-Content-Type-Options: nosniff", "Connection: close", "", ""]
        self._transport.write("\r\n".join(lines).encode() + (b"" if head.startswith(b"HEAD ") else page.body))
        self._transport.close()
