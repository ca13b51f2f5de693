"""Threads that hang: an offline run says where it stands still and ends, at Ctrl-C and by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from remi_stream.offline import watchdog
from remi_stream.offline.watchdog import StallWatchdog
from remi_stream.prefetch import DaemonExecutor
from remi_stream.recordings.results import open_results
from tests.offline.videos import film

HANGING = """
import itertools, sys, threading
from remi_stream import cli
from remi_stream.detect.detector import SyntheticDetector
from remi_stream.offline import watchdog

def hang(self, image, numbers=itertools.count(1)):
    number = next(numbers)
    if number > {calls}:
        if number == {calls} + 1:  # both detectors hang, one says so
            print("hangs", flush=True)
        {hang}
    return found(self, image)

found, SyntheticDetector.detect = SyntheticDetector.detect, hang
watchdog.TICK_S, watchdog.REPORT_AFTER_S, watchdog.END_AFTER_S = 0.05, {report}, {end}
StallWatchdog = watchdog.StallWatchdog.__init__
StallWatchdog.__defaults__ = ({report}, {end})
sys.exit(cli.main())
"""
IN_PYTHON = "threading.Event().wait()"
WITH_THE_GIL = "import ctypes; ctypes.PyDLL(None).pause()"


@pytest.fixture
def hanging_run(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()


def start(tmp_path: Path, calls: int = 5, hang: str = IN_PYTHON, report: float = 1e9, end: float = 1e9) -> subprocess.Popen[str]:
    """Start an offline run whose detector hangs after so many calls; returns once it does."""
    clip = film(tmp_path / "a.mp4")
    arguments = ["video", str(clip), "--out", str(tmp_path / "out"), "--engine", "synthetic", "--detector", "synthetic"]
    code = HANGING.format(calls=calls, hang=hang, report=report, end=end)
    command = [sys.executable, "-c", code, *arguments, "--chunk", "4"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "hangs\n"
    return process


def test_ctrl_c_ends_a_run_whose_detector_hangs(tmp_path: Path, hanging_run: list[subprocess.Popen[str]]) -> None:
    hanging_run.append(process := start(tmp_path))
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert err == "remi-stream: a detector thread hangs; the process ends\n"


def test_second_ctrl_c_ends_a_run_even_if_no_thread_can_run_python(
    tmp_path: Path, hanging_run: list[subprocess.Popen[str]]
) -> None:
    hanging_run.append(process := start(tmp_path, hang=WITH_THE_GIL))
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == -signal.SIGINT


def test_run_that_stands_still_is_reported_with_stacks_ends_and_resumes(
    tmp_path: Path, hanging_run: list[subprocess.Popen[str]]
) -> None:
    hanging_run.append(process := start(tmp_path, calls=42, report=0.2, end=0.6))
    err = process.communicate(timeout=20)[1]
    assert process.returncode == 4
    assert "no progress for 0 s; frames so far: 20 decoded, " in err
    assert "thread detect-0:" in err
    assert "in hang" in err
    assert err.splitlines()[-1].endswith("Finished chunks stay; the same command resumes")
    again = [sys.executable, "-m", "remi_stream", "video", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*again, "--engine", "synthetic", "--detector", "synthetic", "--chunk", "4"], capture_output=True, text=True, check=True
    )
    assert "by an earlier run)" in done.stdout
    assert len(open_results(tmp_path / "out/a").frames) == 20


def test_progress_and_a_stopped_process_are_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "TICK_S", 0.02)
    said: list[str] = []
    counts, ended = {"decoded": 0}, threading.Event()

    def count() -> dict[str, int]:
        counts["decoded"] += 1
        if counts["decoded"] == 30:
            ended.set()
        return dict(counts)

    with StallWatchdog(said.append, said.append, 0.03, 0.1).watching(count):
        assert ended.wait(10)
    assert said == []


def test_threads_of_the_pool_do_not_keep_the_interpreter_alive() -> None:
    code = "import threading; from remi_stream.prefetch import DaemonExecutor as D; D(2, 'x').submit(threading.Event().wait)"
    assert subprocess.run([sys.executable, "-c", code], timeout=20, check=False, env=os.environ).returncode == 0


def test_pool_gives_results_and_errors_and_ends() -> None:
    pool = DaemonExecutor(2, "pool")
    assert [pool.submit(pow, 2, at).result(5) for at in range(4)] == [1, 2, 4, 8]
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(5)
    pool.shutdown()
    assert not pool.is_running
