"""Take the pictures of docs/: python -m tests.browser.take_pictures [link], of the demo with the default engine, or of a link."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.browser.browser import DESKTOP, PHONE, Browser, running

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MINUTE_S = 40.0
"""So that the plots have something to show."""
STANDING = "(k => k > 84 && k < 95)(Number(document.body.innerText.match(/frame (\\d+)/)[1]) % 240)"
"""The person stands for a while: a browser without a GPU draws the body later than the picture."""


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """The link of a demo's viewer."""
    command = [sys.executable, "-m", "remi_stream", "demo", "--name", "pictures", "--no-metrics"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait(15)


def take(browser: Browser, link: str, name: str, size: tuple[int, int], *, light: bool = False) -> None:
    """Look at the viewer for a while and keep what is seen."""
    browser.open(link, size)
    browser.wait("/frame [1-9]/.test(document.body.innerText)")
    browser.do("dismiss")
    time.sleep(MINUTE_S)
    browser.do("click", text="Recentre")
    if light:
        browser.do("click", text="Light / dark")
    time.sleep(4.0)
    browser.wait(STANDING)
    file = IMAGES / f"{name}.png"
    browser.do("screenshot", path=str(file))
    Image.open(file).convert("RGB").quantize(256, kmeans=4).save(file, optimize=True)


def main() -> None:
    """Take all of them."""
    with contextlib.ExitStack() as stack:
        link = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(demo())
        browser = stack.enter_context(running())
        take(browser, link, "web-dark", DESKTOP)
        take(browser, link, "web-light", DESKTOP, light=True)
        take(browser, link, "web-phone", PHONE)


if __name__ == "__main__":
    main()
