"""The web viewer's server: viser, reached only through checks of every connection, request and message.

viser has no authentication and no setting for who may connect, so it gets our websockets server in place of its own: there is one
port, and no way around the checks. A browser that does not read makes viser wait (it keeps only the newest of everything)
and fills no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import viser
import websockets.asyncio.server
from websockets.asyncio.server import Server, ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response

from remi_stream.sinks.http_guard import ACCEPTED_AT_ONCE, BACKLOG, HEAD_TIMEOUT_S, MAX_HEAD_BYTES, ConnectionLimits
from remi_stream.sinks.web.access import AccessRules, AccessVerdict, HttpRequest
from remi_stream.sinks.web.browser_messages import MAX_MESSAGE_BYTES, is_allowed
from remi_stream.sinks.web.page import viewer_page

MAX_BROWSERS = 32
"""Most WebSockets at a time. Beyond, one that never sent a message ends, else the new one is refused."""
MAX_REFUSED = 20
"""Refused messages after which a connection ends."""
MESSAGES_PER_S = 100
"""Messages that are read from a connection, s^-1: a page sends at most 60."""
CLOSE_TIMEOUT_S = 30.0
"""Time for sending the rest of the page to a slow client, s."""
BUFFER_BYTES, CHUNK_BYTES = 131072, 65536
"""Limits of the socket's and of the server's send buffers."""
READ_HEADERS = ("host", "origin", "cookie", "upgrade", "x-forwarded-host", "x-forwarded-proto")
"""Headers that decide about a request: each at most once."""
SECURITY_HEADERS = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
METHOD_REFUSED = (
    b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 21\r\nConnection: close\r\n\r\nOnly GET is allowed.\n\n"
)

log = logging.getLogger("remi_stream")


class BrowserConnection(ServerConnection):
    """One connection: limited until it is a WebSocket, and each of its messages checked."""

    guard: ViewerServer
    is_silent = True
    """Whether it has not sent an allowed message yet."""
    _received_bytes = 0
    _refused = 0
    _next_read_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and limit its buffers."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self.guard.limits.add(self.transport, self.remote_address[0] if self.remote_address else None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.guard.limits.remove(self.transport)
        self.guard.browsers.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too long or asks for anything but a page; websockets would answer nothing."""
        if self.request is None:
            if not self._received_bytes and not b"GET ".startswith(data[:4]):
                self.transport.write(METHOD_REFUSED)
                self.transport.close()
                return
            self._received_bytes += len(data)
            if self._received_bytes > MAX_HEAD_BYTES:
                self.transport.abort()
                return
        super().data_received(data)

    async def recv(self, decode: bool | None = None) -> Any:
        """Receive the next message that the page may send; others are counted and dropped."""
        while True:
            raw = await super().recv(decode)
            await self._keep_pace()
            if is_allowed(raw, self.guard.gui):
                self.is_silent = False
                return raw
            self._refused += 1
            self.guard.count_refused()
            if self._refused >= MAX_REFUSED:
                self.transport.abort()  # no closing handshake, which the client could draw out
                raise ConnectionClosedError(None, None)

    async def _keep_pace(self) -> None:
        """Wait while messages come faster than allowed: the sender's TCP window fills."""
        now = time.monotonic()
        self._next_read_at = max(self._next_read_at + 1 / MESSAGES_PER_S, now - 1.0)  # up to a second's worth in one go
        if self._next_read_at > now:
            await asyncio.sleep(self._next_read_at - now)


class ViewerServer(viser.ViserServer):
    """A viser server behind the access rules. It serves from `open_port` on.

    listener: the listening socket. counts: gets the number of refused connections and messages.
    """

    def __init__(self, label: str, listener: socket.socket, rules: AccessRules, counts: Counter[str]) -> None:
        self.limits, self.browsers = ConnectionLimits(), dict[ServerConnection, None]()
        self.counts = counts
        self._listener, self._rules = listener, rules
        page = viewer_page(Path(viser.__file__).parent / "client" / "build" / "index.html", label)
        self._page, self._zipped_page = page, gzip.compress(page)
        self._server: Server | None = None
        with _serving_with(self._serve):
            super().__init__(host="", port=0, label=label, verbose=False)

    def open_port(self) -> None:
        """Accept connections from now on."""
        assert self._server is not None
        asyncio.run_coroutine_threadsafe(self._server.start_serving(), self._server.get_loop()).result()
        self._listener.listen(BACKLOG)

    def request_share_url(self, verbose: bool = True) -> None:
        """Ignore: otherwise a client could make viser open a public tunnel."""

    def count_refused(self) -> None:
        """Count a refused message; the first one is logged."""
        if not self.counts["refused_messages"]:
            log.warning("viewer: dropped a message that its page never sends; more are counted and not logged")
        self.counts["refused_messages"] += 1

    def _serve(self, handler: Any, host: str, port: int, **settings: Any) -> _Serve:
        """Create our server with viser's handler, in place of `websockets.asyncio.server.serve`."""
        self._other_files = settings["process_request"]
        connection = type("GuardedConnection", (BrowserConnection,), {"guard": self})
        return _Serve(
            self,
            handler,
            sock=self._listener,
            backlog=ACCEPTED_AT_ONCE,
            start_serving=False,
            create_connection=connection,
            process_request=self._answer,
            select_subprotocol=settings["select_subprotocol"],
            compression=None,
            open_timeout=HEAD_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            write_limit=CHUNK_BYTES,
            server_header=None,
            logger=_quiet_logger(),
        )

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request; None: it becomes a WebSocket."""
        self.limits.answer(connection.transport)
        response = self._response(connection, request)
        if response is None:
            self.limits.remove(connection.transport)
            self.browsers[connection] = None
            return None
        for name, value in SECURITY_HEADERS.items():
            response.headers[name] = value
        return response

    def _response(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = {name: request.headers.get_all(name) for name in READ_HEADERS}
        if any(len(values) > 1 for values in headers.values()):
            return connection.respond(HTTPStatus.BAD_REQUEST, "Not a valid HTTP request.\n")
        asked = HttpRequest("GET", request.path, {name: values[0] for name, values in headers.items() if values})
        verdict = self._rules.check(asked)
        if verdict.action == "refuse":
            return _text(verdict)
        if verdict.action == "set_cookie":
            response = _text(AccessVerdict("set_cookie", "303 See Other"))
            response.headers["Location"] = "./" + quote(
                asked.path.rpartition("/")[2], safe="%"
            )  # relative: a proxy may serve it under a path
            response.headers["Set-Cookie"] = self._rules.cookie_header(asked)
            return response
        return self._browser_refusal(request) if asked.is_websocket else self._file(connection, request, asked.path)

    def _browser_refusal(self, request: Request) -> Response | None:
        """The refusal of a WebSocket; None: it is welcome."""
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if f"viser-v{viser.__version__}" not in (each.strip() for each in offered.split(",")):
            return _text(AccessVerdict("refuse", "400 Bad Request", "This page is of another version. Load it again."))
        if len(self.browsers) >= MAX_BROWSERS:
            silent = next((each for each in self.browsers if getattr(each, "is_silent", False)), None)
            if silent is None:
                return _text(AccessVerdict("refuse", "503 Service Unavailable", f"There are {MAX_BROWSERS} browsers; close one."))
            del self.browsers[silent]
            silent.transport.abort()
        return None

    def _file(self, connection: ServerConnection, request: Request, path: str) -> Response | None:
        name = path.rpartition("/")[2]
        if name and "." not in name:  # the folder of a reverse proxy, without its slash
            response = _text(AccessVerdict("pass", "303 See Other"))
            response.headers["Location"] = f"./{quote(name, safe='%')}/"
            return response
        if name not in ("", "index.html"):
            return self._other_files(connection, request)
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        body = self._zipped_page if zipped else self._page
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
        return Response(200, "OK", Headers(headers | ({"Content-Encoding": "gzip"} if zipped else {})), body)


class _Serve(websockets.asyncio.server.serve):
    """Our server as viser runs it: `async with`, until it is stopped."""

    def __init__(self, owner: ViewerServer, handler: Any, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._owner = owner

    async def __aenter__(self) -> Server:
        self._owner._server = await super().__aenter__()
        return self._owner._server

    async def __aexit__(self, *failure: Any) -> None:
        """Stop accepting, end all connections and every task, so that none is left when the loop closes."""
        self.server.server.close()
        await asyncio.sleep(0)  # connections that were just accepted get their task
        for connection in list(self.server.handlers):
            with contextlib.suppress(AttributeError):  # not yet connected
                connection.transport.abort()
        await super().__aexit__(*failure)
        await _cancel_all_tasks()


@contextlib.contextmanager
def _serving_with(serve: Callable[..., _Serve]) -> Iterator[None]:
    """Let viser start its server with another `websockets.asyncio.server.serve`."""
    original = websockets.asyncio.server.serve
    websockets.asyncio.server.serve = serve  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        websockets.asyncio.server.serve = original  # type: ignore[misc]


async def _cancel_all_tasks() -> None:
    """Cancel every other task and wait for it, until callbacks that are due start no further ones."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        await asyncio.sleep(0)


def _text(verdict: AccessVerdict) -> Response:
    """A short answer in plain text."""
    status, _, phrase = verdict.status.partition(" ")
    body = f"{verdict.reason}\n".encode()
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
    return Response(int(status), phrase, Headers(headers), body)


def _quiet_logger() -> logging.Logger:
    """A logger for websockets: a client's nonsense is no event, and a failure of ours is logged once a minute at most."""
    logger = logging.Logger("websockets.viewer", logging.ERROR)
    logger.parent = log
    failed_at = [float("-inf")]

    def is_news(record: logging.LogRecord) -> bool:
        if record.getMessage() != "connection handler failed" or time.monotonic() - failed_at[0] < 60.0:
            return False
        failed_at[0] = time.monotonic()
        return True

    logger.addFilter(is_news)
    return logger
