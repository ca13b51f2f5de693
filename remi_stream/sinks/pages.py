"""A small HTTP server on a thread that renders each page on request."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from remi_stream.errors import RemiError

LOOPBACK_HOST = "127.0.0.1"
REQUEST_TIMEOUT_S = 5.0
"""Time that a client has to send its request, s."""


class HttpPage(NamedTuple):
    """An HTTP response."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    """Content type."""


class HttpPageServer(ThreadingMixIn, TCPServer):
    """A threading HTTP server. pages: a function for each path. host: the address that it listens on."""

    daemon_threads = True  # a slow client must not keep the process alive
    allow_reuse_address = True  # a restarted exporter needs the port while old connections are in TIME_WAIT
    request_queue_size = 32

    def __init__(self, port: int, pages: Mapping[str, Callable[[], HttpPage]], host: str = LOOPBACK_HOST) -> None:
        self.pages = pages
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _RequestHandler)
        except OSError as error:
            raise RemiError(_bind_error(error, host, port)) from None

    def start(self) -> None:
        """Serve on a thread."""
        threading.Thread(target=self.serve_forever, args=(0.1,), name="pages", daemon=True).start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self.shutdown()
        self.server_close()

    def page(self, path: str) -> HttpPage:
        """Render the page of a path, or a 404 page."""
        if path in self.pages:
            return self.pages[path]()
        return HttpPage(f"No such page: {path}. There are: {', '.join(self.pages)}\n".encode(), 404)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect or time out; report everything else."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _RequestHandler(BaseHTTPRequestHandler):
    server: HttpPageServer
    server_version, sys_version = "remi-stream", ""
    timeout = REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        page = self._head()
        self.wfile.write(page.body)

    def do_HEAD(self) -> None:
        self._head()

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests: they are not state changes."""

    def _head(self) -> HttpPage:
        page = self.server.page(urlsplit(self.path).path)
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        return page


def _bind_error(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use, by another remi-stream or another program. Stop it, or start this one with --name"
    return f"Cannot serve metrics on {host}:{port}: {error.strerror}. Give an address of this machine (0.0.0.0: all of them)"
