"""Viewers in processes of their own, with and without aitviewer, and checks of their screenshots."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from remi_stream.render.colours import track_colour
from tests.conftest import AITVIEWER

AIT_PYTHON = str(AITVIEWER / "bin" / "python")
WITHOUT_SCREEN = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}


def run_view(*options: str, timeout_s: float = 150.0) -> subprocess.CompletedProcess[str]:
    """`remi-stream view` where aitviewer is, without a screen."""
    return subprocess.run(
        viewer(*options, python=AIT_PYTHON), capture_output=True, text=True, timeout=timeout_s, env=WITHOUT_SCREEN
    )


@contextlib.contextmanager
def running(command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program; it is killed at the end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**WITHOUT_SCREEN, **environment})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def viewer(*options: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "remi_stream", "view", *options]


def wait_for(done: Callable[[], object], process: subprocess.Popen[str] | None = None, timeout_s: float = 120.0) -> None:
    """Wait until a condition holds, while a process lives."""
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"not done within {timeout_s} s"
        assert process is None or process.poll() is None, f"it has ended with {process and process.returncode}"
        time.sleep(0.2)


def share_of(track_id: int, image: np.ndarray) -> float:
    """Share of an image (h, w, 3) uint8 RGB that has a track's colour, lit or in the shade."""
    colour = np.array(track_colour(track_id), float)
    brightness = image.astype(float) @ colour / (colour @ colour)
    miss = np.linalg.norm(image - brightness[..., None] * colour, axis=-1)
    return float(((miss < 24) & (brightness > 0.4) & (brightness < 1.6)).mean())


def photograph(file: Path) -> np.ndarray:
    import cv2

    image = cv2.imread(str(file))
    assert image is not None
    return image[..., ::-1]
