"""Download a wheel from PyPI with pip, so that the user's index and proxy settings apply."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

from remi_stream.errors import RemiError

WHEEL_OPTIONS = ("--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.11")
"""Selects one wheel of a release: its files are data, so any platform's and Python version's wheel will do."""
RETRY_OPTIONS = ("--retries", "1", "--timeout", "20")  # fail soon without a network


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download the wheel of a pinned requirement ("mediapipe==0.10.21") into a folder."""
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        requirement,
        "--no-deps",
        *WHEEL_OPTIONS,
        *RETRY_OPTIONS,
        *quiet,
        "-d",
        str(folder),
    ]
    preexec = die_with_parent if sys.platform == "linux" else None
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=preexec)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise RemiError(f"{requirement} cannot be pulled: {pip_error(done.stderr)}. {manual_download_hint(requirement)}")
    return wheels[0]


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies (prctl, PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def pip_error(stderr: str) -> str:
    """Return the most informative line of pip's error output."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "this Python has no pip"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if any("from versions: none" in line for line in errors):
        return "the package index cannot be reached, or has no such wheel"
    return (errors or lines or ["pip gave no reason"])[0].rstrip(".")


def manual_download_hint(requirement: str) -> str:
    """Return how to download the wheel by hand and import it."""
    name, _, version = requirement.partition("==")
    where = f"https://pypi.org/project/{name}/{version}/#files"
    return f"Get the manylinux wheel from {where} in another way, then: remi-stream models import FILE.whl"
