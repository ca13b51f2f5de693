"""Live lines on a terminal, lines of a log, and the totals at the end of a run."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from remi_stream.cli.status_line import CameraRates, RunTotals, camera_lines, shorten
from remi_stream.messages import Bodies
from tests.cli.test_bad_input import pipeline
from tests.sample import bodies, facts

LONG = "garden-north-east-corner-camera-number-2"


def at(now: float, frame_id: int = 0, latency_s: float = 0.02, **more: object) -> Bodies:
    return bodies(frame_id, captured_at=now - latency_s, hop_s=latency_s / 5, **more)


@pytest.fixture
def cameras() -> dict[str, CameraRates]:
    """One camera with bodies, one that went away, one that never came, one without a word, one whose process is dead."""
    names = (LONG, "away", "never", "mute", "dead", "lost")
    made = {name: CameraRates(name, 100.0) for name in names}
    for k in range(90):
        made[LONG].add(at(107 + k / 30, k), 107 + k / 30)
    made[LONG].add(facts(90), 109.9)
    made["away"].add(facts(40), 103.0)
    made["away"].add(at(103.0), 103.0)
    made["away"].add(facts(40, state="reconnecting", state_s=6.4), 109.4)
    made["never"].add(facts(0, state="reconnecting", state_s=125.0), 109.9)
    made["dead"].add(facts(40), 103.0)
    return made


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_camera_has_a_line_that_fits_and_is_true(cameras: dict[str, CameraRates], width: int) -> None:
    lines = [line for line, _ in camera_lines(cameras, {"lost": "failed", LONG: "ready"}, width, 110.0)]
    assert max(map(len, lines)) <= width
    if width >= 80:
        assert [line[42:] for line in lines] == [
            "30 bodies/s, 20 ms (p95 20), 1 person",
            "reconnecting since 7 s",
            "never came, trying since 2 min",
            "starting since 10 s",
            "its process is silent since 7 s",
            "its process: failed",
        ]
        assert [line[:40].strip() for line in lines] == list(cameras)


def test_long_name_loses_its_middle() -> None:
    assert shorten(LONG, 20) == "garden-nor…-number-2"
    assert shorten("front", 20) == "front"


def test_totals_are_those_of_all_cameras_and_processes() -> None:
    totals = RunTotals(100.0)
    assert totals.text(101.0, None) == ""
    for k in range(101):
        totals.add(at(102 + k / 20, k, latency_s=0.1 if k > 90 else 0.04), 102 + k / 20)
    totals.add(facts(120), 107.0)
    totals.add(facts(30, epoch=2), 107.5)
    assert totals.text(173.0, "takes") == (
        "ran 1 min: 150 frames, bodies of 101, mean 20.0 per second, latency p95 100 ms, 1 person; "
        "recordings: remi-stream recordings takes"
    )


def test_terminal_shows_each_camera_and_the_totals_at_the_end(tmp_path: Path) -> None:
    cameras = [
        {"name": LONG, "source": "synthetic:?fps=30"},
        {"name": "never", "source": "rtsp://joe:s3cret@127.0.0.1:9/x"},
    ]
    file = pipeline(tmp_path, cameras=cameras, duration_s=8)
    runtime = Path(tempfile.mkdtemp(prefix="r"))  # a socket's path has 107 bytes
    command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", "tstatusline"]
    controller, terminal = pty.openpty()
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    end = time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the last process of the terminal has ended
        while time.monotonic() < end and (data := os.read(controller, 65536)):
            shown += data
    os.close(controller)
    assert process.wait(10) == 0, shown.decode()
    shutil.rmtree(runtime)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(rf"{LONG}  [1-9]\d* bodies/s, \d+ ms \(p95 \d+\), 1 person", text)
    assert re.search(r"never {37}never came, trying since [1-9] s", text)
    assert re.search(r"ran \d+ s: \d+ frames, bodies of \d+, mean [\d.]+ per second, latency p95 \d+ ms, 1 person", text)
    assert "s3cret" not in text
