"""Take the pictures of docs/: python -m tests.browser.take_pictures, of the demo with the default engine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from remi_stream.config import CONTROL, port
from remi_stream.link import ask_control
from tests.browser.browser import DESKTOP, PHONE, Browser, running

IMAGES = Path(__file__).parents[2] / "docs" / "images"
NAME = "pictures"
LOOKING_S = 30.0
"""So that the plots have something to show."""
DRAWING_S = 6.0
"""A browser without a GPU draws bodies later than pictures: both come to rest when nothing new is sent."""


@contextlib.contextmanager
def demo() -> Iterator[tuple[str, int]]:
    """The link of a demo's viewer, and the demo's process."""
    command = [sys.executable, "-m", "remi_stream", "demo", "--name", NAME, "--no-metrics"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().split()[1], process.pid
    finally:
        process.terminate()
        process.wait(15)


@contextlib.contextmanager
def frozen(supervisor: int) -> Iterator[None]:
    """Let the viewer send nothing, and nobody mind."""
    viewer = ask_control(port(NAME, CONTROL), {"ask": "status"})["stages"]["web"]["pid"]
    for pid in (supervisor, viewer):
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in (viewer, supervisor):
        os.kill(pid, signal.SIGCONT)


def take(browser: Browser, link: str, supervisor: int, name: str, size: tuple[int, int]) -> None:
    """Look at the viewer for a while and keep what is seen."""
    browser.open(link, size)
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    browser.do("dismiss")
    if name == "web-light":
        browser.do("click", text="Light / dark")
    time.sleep(LOOKING_S)
    browser.do("click", text="Recentre")
    time.sleep(2.0)
    with frozen(supervisor):
        time.sleep(DRAWING_S)
        browser.do("screenshot", path=str(IMAGES / f"{name}.png"))
    picture = Image.open(IMAGES / f"{name}.png").convert("RGB")
    picture.quantize(256, kmeans=4).save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Take all of them."""
    with running() as browser:
        for name, size in (("web-dark", DESKTOP), ("web-light", DESKTOP), ("web-phone", PHONE)):
            with demo() as (link, supervisor):
                take(browser, link, supervisor, name, size)


if __name__ == "__main__":
    main()
