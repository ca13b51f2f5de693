"""Health check of a container: `python -m remi_stream.cli.container.healthcheck`.

Requests /healthz of each running daemon of this user. A daemon without metrics is healthy while its relay answers. No daemon,
as with offline commands, is healthy.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

from remi_stream.config import METRICS_SERVICE, daemon_port
from remi_stream.errors import EXIT_CRASHED, EXIT_DONE, RemiError
from remi_stream.paths import running_daemons
from remi_stream.transport.address import DaemonAddress, daemon_address
from remi_stream.transport.link import send_control_request

TIMEOUT_S = 3.0
"""Shorter than the timeout of HEALTHCHECK."""


def main() -> int:
    """Print the health of each daemon; 0 if all are healthy."""
    try:
        found = {name: daemon_health(name) for name in running_daemons()}
    except RemiError as error:  # there is no run folder, so no daemon either
        print(error)
        return EXIT_DONE
    for name, (_, text) in found.items():
        print(f"{name}: {text}")
    if not found:
        print("no running daemon")
    return EXIT_DONE if all(healthy for healthy, _ in found.values()) else EXIT_CRASHED


def daemon_health(name: str) -> tuple[bool, str]:
    """Whether the daemon is healthy, and the text of its answer."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{daemon_port(name, METRICS_SERVICE)}/healthz", timeout=TIMEOUT_S
        ) as answer:
            return True, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return False, error.read().decode().strip()
    except OSError as error:
        return relay_answers(daemon_address(name)), f"no metrics ({getattr(error, 'reason', error)})"


def relay_answers(daemon: DaemonAddress) -> bool:
    """Whether the relay answers a request; an open socket is not enough, because a hung process keeps it open."""
    try:
        send_control_request(daemon, {"ask": "status"}, timeout_s=TIMEOUT_S)
    except RemiError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
