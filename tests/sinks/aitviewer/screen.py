"""A virtual screen (Xvfb), with screenshots and key presses."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

import av
import numpy as np


class Screen:
    """An X display. display: its name, ":3". size: (width, height) px."""

    def __init__(self, display: str, size: tuple[int, int]) -> None:
        self.display, self.size = display, size

    def photograph(self) -> np.ndarray:
        """Take a screenshot (h, w, 3) uint8 RGB."""
        options = {"video_size": "{}x{}".format(*self.size), "draw_mouse": "0"}
        with av.open(self.display, format="x11grab", options=options) as grabbed:
            return next(grabbed.decode(video=0)).to_ndarray(format="rgb24")

    def xdotool(self, *command: str) -> str:
        """Run xdotool on this display and return its output."""
        environment = {**os.environ, "DISPLAY": self.display}
        return subprocess.run(["xdotool", *command], capture_output=True, text=True, timeout=10, env=environment).stdout.strip()


@contextlib.contextmanager
def screen(size: tuple[int, int]) -> Iterator[Screen]:
    """An X server while the block runs."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "{}x{}x24".format(*size), "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as output:
            yield Screen(f":{output.readline().strip()}", size)
    finally:
        server.terminate()
        server.wait()
