"""Health check of a container: `python -m remi_stream.cli.healthy`.

Requests /healthz of each running daemon of this user. A daemon without metrics is healthy while its relay answers. No daemon,
as with offline commands, is healthy.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

from remi_stream.config import CONTROL, METRICS, port
from remi_stream.errors import CRASHED, DONE, RemiError
from remi_stream.folder import running
from remi_stream.link import ask_control

PATIENCE_S = 3.0
"""Shorter than the timeout of HEALTHCHECK."""


def main() -> int:
    """Print the health of each daemon; 0 if all are healthy."""
    try:
        found = {name: health(name) for name in running()}
    except RemiError as error:  # there is no run folder, so no daemon either
        print(error)
        return DONE
    for name, (_, text) in found.items():
        print(f"{name}: {text}")
    if not found:
        print("no running daemon")
    return DONE if all(healthy for healthy, _ in found.values()) else CRASHED


def health(name: str) -> tuple[bool, str]:
    """Whether the daemon is healthy, and the text of its answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port(name, METRICS)}/healthz", timeout=PATIENCE_S) as answer:
            return True, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return False, error.read().decode().strip()
    except OSError as error:
        return answers(port(name, CONTROL)), f"no metrics ({getattr(error, 'reason', error)})"


def answers(control: int) -> bool:
    """Whether the relay answers a request; an open port is not enough, because a hung process keeps it open."""
    try:
        ask_control(control, {"ask": "status"}, timeout_s=PATIENCE_S)
    except RemiError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
