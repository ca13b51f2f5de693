"""The web viewer's reverse proxy: checks every request against the access rules, then forwards bytes to a private viser.

One request per connection and only required headers are forwarded, so no request can be smuggled. Buffers are small: a browser
that does not read makes viser wait (which keeps only the newest of everything) and fills no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import Coroutine

import viser

from remi_stream.config import LOOPBACK_HOST
from remi_stream.errors import listen_error
from remi_stream.sinks.web.access import AccessRules, HttpRequest, parse_request

MAX_HEAD_BYTES = 16384
HEAD_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 128
BUFFER_BYTES = 131072
CHUNK_BYTES = 65536
"""Limits of a request's head (size and time), of open connections, of socket buffers and of one read."""
DISCONNECT_ERRORS = (
    OSError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
    asyncio.TimeoutError,
    asyncio.CancelledError,
)
"""Errors of a client: disconnected, too slow, head too long, or cancelled on stop, which asyncio would log with a traceback."""

FORWARDED_HEADERS = ("accept-encoding", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol")
SECURITY_HEADERS = b"X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"

StreamPair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class AccessProxy:
    """Listens on the public address and forwards permitted requests to the private one."""

    def __init__(self, host: str, port: int, rules: AccessRules) -> None:
        self._rules = rules
        self._socket = _listen(host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._open_connections = 0

    def start(self, upstream: tuple[str, int]) -> None:
        """Start forwarding to upstream (host, port), on a thread."""
        self._upstream = upstream
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            start = asyncio.start_server(self._handle, sock=self._socket, limit=MAX_HEAD_BYTES)
            server = self._loop.run_until_complete(start)
            self._loop.run_forever()
            # first no new connection: the task of one accepted after the others are listed would be destroyed while pending
            server.close()
            self._loop.run_until_complete(_cancel_all_tasks())

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open_connections += 1
        try:
            with contextlib.suppress(*DISCONNECT_ERRORS):
                if self._open_connections <= MAX_CONNECTIONS:
                    await self._answer_request(reader, writer)
        finally:
            self._open_connections -= 1
            writer.close()

    async def _answer_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = parse_request(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT_S))
        if request is None:
            await _respond(writer, "400 Bad Request", "Not a valid HTTP request.")
            return
        verdict = self._rules.check(request)
        if verdict.action == "refuse":
            await _respond(writer, verdict.status, verdict.reason)
        elif verdict.action == "set_cookie":
            await _respond(writer, "303 See Other", "", f"Location: /\r\nSet-Cookie: {self._rules.cookie_header()}\r\n")
        else:
            await self._forward(request, (reader, writer))

    async def _forward(self, request: HttpRequest, outside: StreamPair) -> None:
        _limit_buffers(outside[1])
        inside = await self._connect()
        try:
            inside[1].write(_upstream_head(request, self._upstream))
            if request.is_websocket:
                await _first_of(_pipe(inside[0], outside[1]), _pipe(outside[0], inside[1]))
            else:
                status = await inside[0].readuntil(b"\r\n")
                outside[1].write(status + SECURITY_HEADERS)
                await _pipe(inside[0], outside[1])
        finally:
            inside[1].close()

    async def _connect(self) -> StreamPair:
        inner = socket.socket()
        inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)  # before connecting: it limits the TCP window
        inner.setblocking(False)
        await self._loop.sock_connect(inner, self._upstream)
        return await asyncio.open_connection(sock=inner, limit=CHUNK_BYTES)


async def _cancel_all_tasks() -> None:
    """Cancel every other task and wait for it, until callbacks that are due start no further ones."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        await asyncio.sleep(0)


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK_BYTES):
        sink.write(data)
        await sink.drain()


async def _first_of(*directions: Coroutine[None, None, None]) -> None:
    """Run both directions of a connection until the first of them ends."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _respond(writer: asyncio.StreamWriter, status: str, text: str, headers: str = "") -> None:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain; charset=utf-8\r\n"
    writer.write(head.encode() + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()


def _upstream_head(request: HttpRequest, inner: tuple[str, int]) -> bytes:
    """The head of the forwarded request, with required headers only and without the query (it holds the token)."""
    lines = [f"{request.method} {request.target.split('?')[0]} HTTP/1.1", f"Host: {inner[0]}:{inner[1]}"]
    lines += ["Connection: Upgrade", "Upgrade: websocket"] if request.is_websocket else ["Connection: close"]
    lines += [f"{name}: {request.headers[name]}" for name in FORWARDED_HEADERS if name in request.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _limit_buffers(writer: asyncio.StreamWriter) -> None:
    writer.transport.set_write_buffer_limits(high=CHUNK_BYTES)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=32)
    except OSError as error:
        raise listen_error("the viewer", host, port, error) from None


ADDRESS_ATTEMPTS = 8


class PrivateServer(viser.ViserServer):
    """A viser server on a random loopback address, which only the proxy knows: viser has no authentication."""

    def __init__(self, label: str) -> None:
        super().__init__(host=random_loopback_address(), port=0, label=label, verbose=False)

    def request_share_url(self, verbose: bool = True) -> None:
        """Ignore: otherwise any client could make viser open a public tunnel."""

    @property
    def address(self) -> tuple[str, int]:
        """The (host, port) that it listens on."""
        return self.get_host(), self.get_port()


def random_loopback_address() -> str:
    """A random address of 127.0.0.0/8, all of which is loopback on Linux; elsewhere 127.0.0.1, where only the port is random."""
    for _ in range(ADDRESS_ATTEMPTS):
        address = "127." + ".".join(str(1 + secrets.randbelow(254)) for _ in range(3))
        try:  # outside Linux only 127.0.0.1 is configured
            with socket.create_server((address, 0)):
                return address
        except OSError:
            continue
    return LOOPBACK_HOST
