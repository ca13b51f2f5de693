"""A real window of a real daemon, and real keys."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, running

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}
pytestmark = pytest.mark.screen


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An X server of its own."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as told:
        number = told.readline().strip()
    monkeypatch.setenv("DISPLAY", f":{number}")
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    yield f":{number}"
    server.terminate()
    server.wait()


def window_of(daemon: Daemon) -> str:
    """The number of the daemon's window, waiting until it is there."""
    daemon.listen(lambda: "display" in daemon.stages and daemon.stages["display"].counts.get("pictures", 0) > 3)
    found = subprocess.run(["xdotool", "search", "--sync", "--name", f"remi-stream {daemon.name}"], capture_output=True, text=True, timeout=10)
    return found.stdout.split()[-1]


def press(window: str, key: str) -> None:
    subprocess.run(["xdotool", "windowfocus", "--sync", window, "key", key], check=True, timeout=10)


def test_q_in_the_window_ends_the_daemon(screen: str, tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        press(window_of(daemon), "q")
        assert daemon.process.wait(15) == 0
    assert "the window was closed" in daemon.log()
    assert "Traceback" not in daemon.log()
    assert not check_books(daemon.bodies)


def test_r_in_the_window_ends_the_recording(screen: str, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], display=True, record=str(folder), **SYNTHETIC) as daemon:
        window = window_of(daemon)
        daemon.listen(lambda: daemon.stages["recorder"].facts.get("recording") == "on")
        press(window, "r")
        daemon.listen(lambda: daemon.stages["recorder"].facts["recording"] == "off")
        assert len(list(folder.glob("*/index.json"))) == 1
        assert daemon.stop() == 0


def test_suspended_display_costs_nobody_a_frame(screen: str, tmp_path: Path) -> None:
    import signal

    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        window_of(daemon)
        old = daemon.pid("display")
        os.kill(old, signal.SIGSTOP)
        daemon.listen(lambda: daemon.stages["display"].pid != old and daemon.stages["display"].state == "ready")
        assert not check_books(daemon.more_bodies(30))
        assert daemon.stop() == 0


def test_no_screen_ends_the_start_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        assert daemon.process.wait(20) == 3
    last = daemon.log().strip().splitlines()[-1]
    assert last == "remi-stream: Cannot open a window: there is no screen here. Leave out --display, or use --viewer web"
