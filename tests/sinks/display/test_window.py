"""A real window of a real daemon, and real keys."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.daemon import SYNTHETIC, Daemon, running
from tests.pipeline.test_recording import check_undisturbed

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}
PROJECT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.screen


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An X server of its own."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as output:
        number = output.readline().strip()
    monkeypatch.setenv("DISPLAY", f":{number}")
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    yield f":{number}"
    server.terminate()
    server.wait()


def wait_for_window(daemon: Daemon) -> None:
    """Wait until the daemon's window is shown and has the keyboard focus."""
    daemon.listen(lambda: "display" in daemon.stages and daemon.stages["display"].counts.get("images", 0) > 3)
    daemon.listen(lambda: xdotool("getwindowfocus", "getwindowname") == f"remi-stream {daemon.name}")


def xdotool(*command: str) -> str:
    """Run xdotool and return its output."""
    return subprocess.run(["xdotool", *command], capture_output=True, text=True, timeout=10).stdout.strip()


def test_q_in_the_window_ends_the_daemon(screen: str, tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        wait_for_window(daemon)
        xdotool("key", "q")
        assert daemon.process.wait(15) == 0
    assert "the window was closed" in daemon.log()
    assert "Traceback" not in daemon.log()
    check_undisturbed(daemon.bodies)


def test_v_in_the_window_ends_the_recording(screen: str, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], display=True, record=str(folder), **SYNTHETIC) as daemon:
        wait_for_window(daemon)
        daemon.listen(lambda: daemon.stages["recorder"].facts.get("recording") == "on")
        xdotool("key", "v")
        daemon.listen(lambda: daemon.stages["recorder"].facts["recording"] == "off")
        assert len(list(folder.glob("*/index.json"))) == 1
        assert daemon.stop() == 0


def test_r_in_the_window_measures_into_the_folder_of_the_pipeline(
    screen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        wait_for_window(daemon)
        xdotool("key", "2")
        xdotool("key", "r")
        daemon.listen(lambda: "a row added in measurements" in daemon.log())
        daemon.more_bodies(10)
        assert daemon.stop() == 0
    files = {path.name: path.read_text().splitlines() for path in (tmp_path / "measurements").iterdir()}
    assert files.keys() == {"pocolib_demo_no_trt_metrics_avg.csv", "remi_stream_metrics.csv", "relay_filter_metrics_avg.csv"}
    assert {len(lines) for lines in files.values()} == {2}
    assert files["remi_stream_metrics.csv"][1].split(",")[1:4] == ["Low Light", "front", "synthetic"]
    check_undisturbed(daemon.bodies)


def test_suspended_display_costs_no_frame(screen: str, tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        wait_for_window(daemon)
        old = daemon.pid("display")
        os.kill(old, signal.SIGSTOP)
        daemon.listen(lambda: daemon.stages["display"].pid != old and daemon.stages["display"].state == "ready")
        check_undisturbed(daemon.more_bodies(30))
        assert daemon.stop() == 0


def test_no_screen_ends_the_start_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with running(tmp_path, cameras=[CAMERA], display=True, **SYNTHETIC) as daemon:
        assert daemon.process.wait(20) == 3
    last = daemon.log().strip().splitlines()[-1]
    assert last == "remi-stream: Cannot open a window: there is no screen here. Leave out --display, or use --viewer web"
