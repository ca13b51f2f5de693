"""`python -m remi_stream.cli.healthy`, for a container: is the daemon well? A command that works through files has none.

It asks each daemon of this user that runs here for /healthz. One without metrics is well while its relay answers.
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


def main() -> int:
    """Say how each daemon is; 0 if none is ill."""
    try:
        found = {name: health(name) for name in running()}
    except RemiError as error:  # no folder for a daemon to be in
        print(error)
        return DONE
    for name, (_, words) in found.items():
        print(f"{name}: {words}")
    if not found:
        print("no daemon runs here")
    return DONE if all(well for well, _ in found.values()) else CRASHED


def health(name: str) -> tuple[bool, str]:
    """Whether the daemon of this name is well, and what it says."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port(name, METRICS)}/healthz", timeout=PATIENCE_S) as answer:
            return True, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return False, error.read().decode().strip()
    except OSError as error:
        return answers(port(name, CONTROL)), f"no metrics ({getattr(error, 'reason', error)})"


def answers(control: int) -> bool:
    """Whether the relay answers a question; that its port is open says nothing, for a process that hangs has it open, too."""
    try:
        ask_control(control, {"ask": "status"}, timeout_s=PATIENCE_S)
    except RemiError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
