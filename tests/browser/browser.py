"""A real Chromium, driven by driver.mjs."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
DESKTOP, PHONE = (1280, 800), (390, 844)
SMALL = (620, 560)
"""For tests that do not need the 3D scene."""
WAIT_TIMEOUT_S = 45.0
"""WebGL is rendered by the CPU, which is slow when it is shared."""


class Browser:
    """One browser, one page at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def open(self, url: str, size: tuple[int, int] = DESKTOP) -> int:
        """Open a page in a new browser context; return the HTTP status."""
        return int(self.do("open", url=url, width=size[0], height=size[1]))

    def do(self, command: str, **more: Any) -> Any:
        """Send a command to driver.mjs; return its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"command": command, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the browser is gone: {self._process.poll()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def wait(self, script: str, timeout_s: float = WAIT_TIMEOUT_S) -> None:
        """Wait until a script returns a true value."""
        self.do("wait", script=script, timeout=timeout_s * 1000)

    def evaluate(self, script: str) -> Any:
        """Run a script in the page."""
        return self.do("evaluate", script=script)

    def wait_for_text(self, text: str) -> None:
        """Wait until the page contains a text."""
        self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def preview(self) -> np.ndarray:
        """The pixels (h, w, 3) uint8 RGB of the image in the panel."""
        shown = self.do("preview")
        rgba = np.frombuffer(base64.b64decode(shown["rgba"]), np.uint8).reshape(shown["height"], shown["width"], 4)
        return rgba[..., :3]

    def frame_id(self) -> int:
        """Number of the frame in the panel's caption."""
        return int(self.evaluate("document.body.innerText.match(/frame (\\d+)/)[1]"))

    def suspend(self) -> None:
        """Suspend the browser, as closing a laptop's lid does."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the browser."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in _descendants(self._process.pid):
            os.kill(pid, number)


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """Run a browser while the block runs."""
    if not (FOLDER / "node_modules" / "playwright-core").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, capture_output=True)
    command = ["node", str(FOLDER / "driver.mjs")]
    process = subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    browser = Browser(process)
    try:
        yield browser
    finally:
        browser.resume()
        assert process.stdin
        process.stdin.close()
        process.wait(30)


def _descendants(parent: int) -> list[int]:
    """The browser's processes, without the driver."""
    children = [int(pid) for task in Path(f"/proc/{parent}/task").iterdir() for pid in (task / "children").read_text().split()]
    return [pid for child in children for pid in (child, *_descendants(child))]
