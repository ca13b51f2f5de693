"""Take docs/images/aitviewer.png, two people in aitviewer's window: python -m tests.sinks.aitviewer.take_picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.browser.replay import replaying
from tests.sinks.aitviewer.screen import screen
from tests.sinks.aitviewer.test_real import two_people
from tests.sinks.aitviewer.viewing import AIT_PYTHON, running, share_of, viewer, wait_for

FILE = Path(__file__).parents[3] / "docs" / "images" / "aitviewer.png"
SIZE = (960, 560)
COLOURS = 128


def main() -> None:
    """Take the screenshot from the front, when both people are shown and the panel has numbers."""
    with screen(SIZE) as seen, replaying("front") as replay:
        replay.change = two_people
        command = viewer("--aitviewer", "--name", replay.name, "--size", "{}x{}".format(*SIZE), python=AIT_PYTHON)
        with running(command, DISPLAY=seen.display) as process:
            title = f"remi-stream {replay.name}"
            wait_for(lambda: seen.xdotool("search", "--name", title), process)
            window = seen.xdotool("search", "--name", title).split()[0]
            wait_for(lambda: "bodies/s drawn" in seen.xdotool("getwindowname", window), process)
            seen.xdotool("windowfocus", window)
            wait_for(lambda: any(f": {rate} bodies/s" in seen.xdotool("getwindowname", window) for rate in range(4, 31)), process)
            wait_for(lambda: replay.frame_id % 240 > 215, process)
            seen.xdotool("key", "1")
            wait_for(lambda: 20 < replay.frame_id % 240 < 60 and share_of(2, seen.photograph()) > 0.02, process)
            Image.fromarray(seen.photograph()).quantize(COLOURS).save(FILE, optimize=True)


if __name__ == "__main__":
    main()
