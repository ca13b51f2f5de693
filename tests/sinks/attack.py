"""Clients that mean no good, for HTTP servers under test; run as a program, it holds connections that drip."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MAX_REOPENED = 100
"""In each of five rounds a second."""


@contextlib.contextmanager
def dripping(port: int, connections: int, piece: str = "X-A: 1") -> Iterator[None]:
    """Another process holds connections that send a line of a head each, again and again (piece "": nothing).

    Those that the server closes are opened again.
    """
    command = [sys.executable, "-m", "tests.sinks.attack", str(port), str(connections), piece]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert process.stdout
        assert process.stdout.readline() == f"{connections} connections\n"
        yield
    finally:
        process.kill()
        process.communicate()


def ask(port: int, *lines: str, host: str = "", more: bytes = b"", timeout_s: float = 5.0) -> bytes:
    """Send a request and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as caller:
        head = "\r\n".join([*lines, f"Host: {host or f'127.0.0.1:{port}'}", "", ""])
        caller.sendall(head.encode("utf-8", "surrogateescape") + more)
        return b"".join(iter(lambda: caller.recv(65536), b""))


def slowest_answer_s(port: int, path: str, count: int = 10) -> float:
    """The longest time that an answer took, s."""
    times = []
    for _ in range(count):
        start = time.monotonic()
        assert ask(port, f"GET {path} HTTP/1.1", timeout_s=60.0).startswith(b"HTTP/1.1 200 "), "no page"
        times.append(time.monotonic() - start)
    return max(times)


def _connect(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=60)
    line.send(b"GET / HTTP/1.1\r\n")
    return line


def _drip(port: int, connections: int, piece: bytes) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    lines = [_connect(port) for _ in range(connections)]
    sys.stdout.write(f"{len(lines)} connections\n")
    sys.stdout.flush()
    while True:
        reopened = 0
        for index, line in enumerate(lines):
            try:
                if line.recv(1, socket.MSG_DONTWAIT) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                with contextlib.suppress(OSError):
                    line.send(piece, socket.MSG_DONTWAIT)
            except OSError:
                if reopened < MAX_REOPENED:
                    reopened += 1
                    line.close()
                    lines[index] = _connect(port)
        time.sleep(0.2)


if __name__ == "__main__":
    _drip(int(sys.argv[1]), int(sys.argv[2]), f"{sys.argv[3]}\r\n".encode() if sys.argv[3] else b"")
