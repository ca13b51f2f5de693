"""The real command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a command. variables: replace those of the environment."""
    command = [sys.executable, "-m", "remi_stream", *arguments]
    environment = {name: value for name, value in {**os.environ, **variables}.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def turn_until(turn: Callable[[], Any], done: Callable[[], Any], timeout_s: float = 15.0) -> None:
    """Call `turn` until `done` is true."""
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"not done within {timeout_s} s"
        turn()
        time.sleep(0.002)


def finish(process: subprocess.Popen[str], turn: Callable[[], Any], timeout_s: float = 15.0) -> tuple[int, str, str]:
    """Call `turn` until a command ends; return exit code, stdout and stderr, which must fit into a pipe's buffer."""
    try:
        turn_until(turn, lambda: process.poll() is not None, timeout_s)
    finally:
        process.kill()
    out, err = process.communicate()
    return process.returncode, out, err
