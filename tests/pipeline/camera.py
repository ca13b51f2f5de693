"""A real RTSP camera in a process of its own, which can be stopped, killed and started anew on the same port."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

BLOCK, BITS = 8, 32


class RtspServer:
    """rtsp_server.py at work."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it gives its picture."""
        return f"rtsp://127.0.0.1:{self.port}/camera"

    def start(self, *options: str) -> None:
        """Start it and wait until clients may come."""
        script = Path(__file__).with_name("rtsp_server.py")
        command = ["/usr/bin/python3", str(script), str(self.port), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None


@contextlib.contextmanager
def rtsp_server(*options: str) -> Iterator[RtspServer]:
    """Give a running camera, and end it."""
    server = RtspServer()
    try:
        server.start(*options)
        yield server
    finally:
        server.kill()


def free_port() -> int:
    """Give a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def burned_clock(image: np.ndarray, scale: float = 1.0) -> float:
    """Read the clock in the top left corner of a picture (H, W, 3): monotonic s. scale: of the picture."""
    at = ((np.arange(BITS) + 0.5) * BLOCK * scale).astype(int)
    bits = image[int(BLOCK / 2 * scale), at, 1] > 128
    return sum(1 << int(bit) for bit in np.flatnonzero(bits)) / 1000
