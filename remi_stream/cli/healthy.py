"""`python -m remi_stream.cli.healthy`, for a container: is the daemon well? A command that works through files has none.

It asks each daemon of this user that runs here for /healthz. One without metrics is well while its relay can be reached.
"""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request

from remi_stream.config import CONTROL, METRICS, port
from remi_stream.errors import CRASHED, DONE
from remi_stream.folder import running

PATIENCE_S = 3.0


def main() -> int:
    """Say how each daemon is; 0 if none is ill."""
    answers = {name: health(name) for name in running()}
    for name, (_, words) in answers.items():
        print(f"{name}: {words}")
    if not answers:
        print("no daemon runs here")
    return DONE if all(well for well, _ in answers.values()) else CRASHED


def health(name: str) -> tuple[bool, str]:
    """Whether the daemon of this name is well, and what it says."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port(name, METRICS)}/healthz", timeout=PATIENCE_S) as answer:
            return True, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return False, error.read().decode().strip()
    except OSError as error:
        return reaches(port(name, CONTROL)), f"no metrics ({getattr(error, 'reason', error)})"


def reaches(number: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", number), PATIENCE_S):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
