"""A camera that is lost and comes back: states, timeouts, errors."""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest

from remi_stream.capture import live
from remi_stream.capture.live import CameraUnavailable, LiveSource, backoff_s
from remi_stream.capture.source import CapturedImage
from remi_stream.errors import EXIT_GAVE_UP, RemiError

IMAGE = np.zeros((2, 2, 3), np.uint8)


class Script:
    """A driver that follows a script: an exception to raise, an int for a frame with this pts, None, or "end"."""

    description = "script"
    fps = 30.0

    def __init__(self, *steps: Any) -> None:
        self.connections = 0
        self._steps: queue.Queue[Any] = queue.Queue()
        self.put(*steps)

    def put(self, *steps: Any) -> None:
        for step in steps:
            self._steps.put(step)

    def read_frames(self) -> Generator[CapturedImage | None, None, None]:
        self.connections += 1
        while (step := self._steps.get()) != "end":
            if isinstance(step, Exception):
                raise step
            yield None if step is None else CapturedImage(IMAGE, time.monotonic(), float(step))


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    live.log.addHandler(handler)
    monkeypatch.setattr(live.log, "level", logging.INFO)
    yield lines
    live.log.removeHandler(handler)


def read_until_frame(source: LiveSource) -> CapturedImage:
    for _ in range(20):
        captured = source.read()
        if captured:
            return captured
    raise AssertionError("no frame")


def test_back_off_is_short_at_first_and_long_after_two_minutes() -> None:
    assert [round(backoff_s(attempt, 1.0), 2) for attempt in range(5)] == [0.2, 0.3, 0.45, 0.5, 0.5]
    assert backoff_s(100_000, 119) == 0.5
    assert backoff_s(3, 121) == 2.0


def test_lost_camera_is_logged_once_and_comes_back(records: list[str]) -> None:
    script = Script(1, CameraUnavailable("gone"), CameraUnavailable("gone"), CameraUnavailable("gone"), 2)
    source = LiveSource(script)
    source.open()
    pts = [read_until_frame(source).pts, read_until_frame(source).pts]
    assert pts == [1, 2]
    assert script.connections == 4
    assert records[0] == "script: gone; reconnecting"
    assert [line.split(" after")[0] for line in records[1:]] == ["script: connected again"]


def test_camera_that_is_unavailable_at_start_is_no_error() -> None:
    source = LiveSource(Script(CameraUnavailable("connection refused")))
    source.open()
    assert source.read() is None
    assert source.state == "reconnecting"


def test_camera_that_refuses_at_start_is_an_error() -> None:
    with pytest.raises(RemiError, match="wrong password"):
        LiveSource(Script(RemiError("wrong password"))).open()


def test_camera_that_refuses_later_is_reconnecting() -> None:
    source = LiveSource(Script(1, "end", RemiError("no such stream"), 2))
    source.open()
    assert [read_until_frame(source).pts, read_until_frame(source).pts] == [1, 2]


def test_camera_that_refuses_a_restarted_process_is_reconnecting() -> None:
    source = LiveSource(Script(RemiError("no such stream"), 1), restarted=True)
    source.open()
    assert read_until_frame(source).pts == 1


def test_frames_that_are_not_read_in_time_are_dropped_oldest_first_and_counted() -> None:
    script = Script(1)
    source = LiveSource(script)
    source.open()
    assert read_until_frame(source).overrun == 0
    script.put(2, 3, 4, 5, 6, CameraUnavailable("gone"), None)
    while source.state != "reconnecting":
        time.sleep(0.001)
    captured = read_until_frame(source)
    assert (captured.pts, captured.overrun) == (4, 2)
    assert [(captured.pts, captured.overrun) for captured in (read_until_frame(source), read_until_frame(source))] == [
        (5, 0),
        (6, 0),
    ]


def test_error_of_our_own_is_not_hidden() -> None:
    script = Script(1)
    source = LiveSource(script)
    source.open()
    script.put(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        [source.read() for _ in range(3)]


def test_camera_is_given_up_after_the_configured_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "READ_TIMEOUT_S", 0.02)
    source = LiveSource(Script(CameraUnavailable("gone")), give_up_after_s=0.1)
    source.open()
    with pytest.raises(RemiError, match=r"script gave no frame for 0\.1 s") as caught:
        [source.read() for _ in range(50)]
    assert caught.value.exit_code == EXIT_GAVE_UP


def test_camera_that_hangs_inside_a_call_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "READ_TIMEOUT_S", 0.02)
    monkeypatch.setattr(live, "HANG_TIMEOUT_S", 0.1)
    source = LiveSource(Script(1))
    source.open()
    with pytest.raises(TimeoutError, match="script: one call has taken more than"):
        [source.read() for _ in range(50)]


def test_closed_camera_is_released() -> None:
    script = Script(1)
    source = LiveSource(script)
    source.open()
    read_until_frame(source)
    source.close()
    script.put(2, 3)
    assert script.connections == 1


LEAVING = """
import time
from remi_stream.capture.live import LiveSource
from remi_stream.capture.source import CapturedImage
class Device:
    description, fps = "slow", 1.0
    def read_frames(self):
        try:
            while True:
                yield CapturedImage(None, 0.0, 0.0)
                time.sleep(0.3)  # as OpenCV waits for a frame
        finally:
            print("let go")
source = LiveSource(Device())
source.open()
"""


def test_camera_is_released_before_the_process_ends() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "let go\n", "")
