"""The viewer's server, for tests that need no browser."""

from __future__ import annotations

import socket
from collections import Counter

from remi_stream.sinks.page_server import open_server_socket
from remi_stream.sinks.web.access import AccessRules
from remi_stream.sinks.web.gate import ViewerServer


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def closed_server(port: int = 0, rules: AccessRules | None = None) -> ViewerServer:
    """A viewer's server whose port (0: any) is not open yet."""
    listener = open_server_socket("the viewer", "127.0.0.1", port)
    return ViewerServer("remi-stream - test", listener, rules or AccessRules("", port), Counter())
