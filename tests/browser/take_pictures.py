"""Take the screenshots of docs/: python -m tests.browser.take_pictures, of two people seen by the default engine."""

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

from remi_stream.paths import run_folder_path
from remi_stream.sinks.web.access import read_viewer_link
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import send_control_request
from tests.browser.browser import DESKTOP, PHONE, Browser, running
from tests.tracking.scenes import scene

IMAGES = Path(__file__).parents[2] / "docs" / "images"
NAME = "pictures"
SCENE = ("crossing", 0)
PEOPLE = 2
TABS = {"web-dark": "Live", "web-light": "Live", "web-phone": "Live"}
SETTLE_S = 30.0
"""Until the plots are filled."""
DRAWING_S = 6.0
"""A browser without a GPU draws bodies later than images: they match again once nothing new is sent."""


@contextlib.contextmanager
def pipeline() -> Iterator[tuple[str, int]]:
    """The link of a pipeline's viewer, and the pipeline's process."""
    command = [sys.executable, "-m", "remi_stream", "video", str(scene(*SCENE).clip), "--realtime", "--loop"]
    command += ["--name", NAME, "--no-metrics"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        process.stdout.readline()  # the link, without its token
        yield read_viewer_link(run_folder_path(NAME)), process.pid
    finally:
        process.terminate()
        process.wait(15)


@contextlib.contextmanager
def frozen(supervisor: int) -> Iterator[None]:
    """Suspend the viewer, and the supervisor, which would restart it."""
    viewer = send_control_request(daemon_address(NAME), {"ask": "status"})["stages"]["web"]["pid"]
    for pid in (supervisor, viewer):
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in (viewer, supervisor):
        os.kill(pid, signal.SIGCONT)


def take(browser: Browser, link: str, supervisor: int, name: str, size: tuple[int, int]) -> None:
    """Open the viewer, wait, and save a screenshot."""
    browser.open(link, size)
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    browser.do("dismiss")
    browser.do("click", text="View")
    if name == "web-light":
        browser.do("click", text="Light / dark")
        for option in ("Skeleton", "Confidence", "Trails"):
            browser.do("click", text=option)
    time.sleep(SETTLE_S)
    browser.do("click", text="Recentre")
    browser.do("click", text=TABS[name])
    browser.wait(f"document.querySelectorAll('.remi-people .row').length === {PEOPLE}", 120.0)
    time.sleep(2.0)
    browser.wait("!document.body.innerText.includes('(no bodies)')", 120.0)
    with frozen(supervisor):
        time.sleep(DRAWING_S)
        browser.do("screenshot", path=str(IMAGES / f"{name}.png"))
    # The last two bits are invisible noise, and most of the file; a palette would lose the colours of small details.
    image = Image.open(IMAGES / f"{name}.png").convert("RGB").point(lambda value: value & 0xFC)
    image.save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Take all screenshots."""
    with running() as browser:
        for name, size in (("web-dark", DESKTOP), ("web-light", DESKTOP), ("web-phone", PHONE)):
            with pipeline() as (link, supervisor):
                take(browser, link, supervisor, name, size)


if __name__ == "__main__":
    main()
