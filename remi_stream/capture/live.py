"""Live camera source: a thread reads each frame as it arrives, and reconnects with back-off.

This thread and its queue stand beside those of the worker's source loop (process/source_loop.py), which runs `read`. One thread
could not do both:

- `captured_at` is the moment at which the driver hands over a frame. In one thread, undistortion, orientation and masks would run
  between two reads (21 ms of CPU time at 1080p, 74 ms at 2160p, where 30 fps leave 33 ms): late stamps, and frames that wait in
  the driver or the socket, where they are neither dropped nor counted.
- A call of the driver may block for seconds (DNS 4 s, connection 3 s, stalled stream 2 s). `read` still returns within a
  second, so that the camera's status is sent and `give_up_after_s` is checked meanwhile.
- The source loop's queue blocks its thread when it is full, which files need; a live camera needs the oldest frame dropped and
  counted.

Each thread has its watchdog: a call of the driver here, a call of `step` there.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Generator
from contextlib import closing
from typing import Protocol

from remi_stream.capture.source import CapturedImage
from remi_stream.errors import EXIT_GAVE_UP, RemiError
from remi_stream.messages import CameraState
from remi_stream.redaction import redact
from remi_stream.stage import WatchdogClock

OPEN_TIMEOUT_S, READ_TIMEOUT_S, HANG_TIMEOUT_S, CLOSE_TIMEOUT_S = 4.0, 1.0, 6.0, 1.0
"""Timeouts, s: of the first connection, of a read, of one call of the driver, of closing at exit."""
LONG_OUTAGE_S, LONG_OUTAGE_RETRY_S = 120.0, 2.0
"""After so long an outage, s, retry only this often, s."""
QUEUE_DEPTH = 3
"""Frames that may queue: after a network hiccup several arrive at once. The reader is faster than any camera."""

MAX_READ_S = 2.0
"""Time between two reads that counts at most, s; READ_TIMEOUT_S bounds it, unless the process is paused."""

log = logging.getLogger("remi_stream")

_open_sources: weakref.WeakSet[LiveSource] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Close all cameras before the interpreter ends: it aborts the process if a thread is still inside OpenCV."""
    sources, end = list(_open_sources), time.monotonic() + CLOSE_TIMEOUT_S
    for source in sources:
        source.close()
    for source in sources:
        source.join(max(0.0, end - time.monotonic()))


class CameraUnavailable(Exception):  # noqa: N818
    """The camera delivers no frames now; the text is the reason. Not an error: the source reconnects."""


class CameraDriver(Protocol):
    """Connection to one kind of camera."""

    description: str
    """Name for logs, without credentials."""
    fps: float
    """Nominal frame rate; 0 if unknown."""

    def read_frames(self) -> Generator[CapturedImage | None, None, None]:
        """Connect and yield frames until the camera is lost; None is a sign of life without a frame.

        Raises CameraUnavailable, or RemiError for what the user must fix.
        """
        ...


class CameraOutage:
    """An outage of the camera: start (monotonic s), attempts to reconnect, and the reasons logged so far."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.attempts = 0
        self.reasons: set[str] = set()


def backoff_s(attempt: int, outage_s: float) -> float:
    """Back-off before the next attempt: 0.2 s, 0.3 s, 0.45 s, then 0.5 s; 2 s after two minutes of outage."""
    return LONG_OUTAGE_RETRY_S if outage_s > LONG_OUTAGE_S else min(0.5, 0.2 * 1.5 ** min(attempt, 10))


class LiveSource:
    """Source of a camera. restarted: the process was restarted, so a RemiError is an outage, not the user's error."""

    def __init__(self, driver: CameraDriver, *, give_up_after_s: float | None = None, restarted: bool = False) -> None:
        self.description = redact(driver.description)
        self.fps = 0.0
        self.state: CameraState = "starting"
        self._driver = driver
        self._give_up_after_s = give_up_after_s
        self._restarted = restarted
        self._changed = threading.Condition()
        self._queue: deque[CapturedImage] = deque()
        self._error: Exception | None = None
        self._outage: CameraOutage | None = None
        self._just_lost = False
        self._missed = 0
        self._closing = threading.Event()
        self._attempted = threading.Event()
        # since when the watchdogs count: in `read`'s clock, which stands still while the process is paused
        self._clock = WatchdogClock(MAX_READ_S)
        self._alive_since = self._frame_since = 0.0

    def open(self) -> None:
        """Start connecting. Raises the RemiError of the first attempt; an unavailable camera is no error."""
        self._clock.advance(time.monotonic())
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()
        _open_sources.add(self)
        # wait for the first attempt, so that a mistake of the user ends the start with its message
        self._attempted.wait(OPEN_TIMEOUT_S)
        self._raise_error()

    def read(self) -> CapturedImage | None:
        """Return the oldest queued frame; its `overrun` counts the frames dropped before it."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._error or self._just_lost, READ_TIMEOUT_S)
            self._just_lost = False
            captured = self._queue.popleft() if self._queue else None
            missed, self._missed = (self._missed, 0) if captured else (0, self._missed)
        self._raise_error()
        self._check_timeouts(time.monotonic())
        return captured._replace(overrun=missed) if captured else None

    def close(self) -> None:
        """Close the camera at its next frame or failure."""
        self._closing.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the camera is closed."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                why = self._read_until_lost()
                if not self._closing.is_set():
                    self._handle_outage(why)
        except Exception as error:  # noqa: BLE001  raised again in the thread that calls `read`
            with self._changed:
                self._error = error
                self._changed.notify()
            self._attempted.set()

    def _read_until_lost(self) -> str:
        """Read frames until the camera is lost; return the reason."""
        try:
            with closing(self._driver.read_frames()) as frames:
                for captured in frames:
                    self._enqueue(captured)
                    if self._closing.is_set():
                        break
        except CameraUnavailable as away:
            return str(away)
        except RemiError as error:
            if (self.state == "starting" and not self._restarted) or error.retry_after_s:
                raise
            return str(error)
        return "the stream has ended"

    def _enqueue(self, captured: CapturedImage | None) -> None:
        self._alive_since = self._clock.now
        if captured is None:
            return
        if self._outage:
            log.info("%s: connected again after %.1f s", self.description, time.monotonic() - self._outage.since)
        with self._changed:
            self._queue.append(captured)
            self._missed += captured.overrun  # frames that the driver has skipped
            if len(self._queue) > QUEUE_DEPTH:
                self._queue.popleft()
                self._missed += 1
            self._outage, self.state, self._frame_since = None, "live", self._alive_since
            self._changed.notify()
        self.fps = self._driver.fps
        self._attempted.set()

    def _handle_outage(self, why: str) -> None:
        """Log each reason of an outage once, then wait for the back-off."""
        self._alive_since, now = self._clock.now, time.monotonic()
        outage = self._outage or CameraOutage(now)
        with self._changed:
            self._just_lost = self._outage is None
            self._outage, self.state = outage, "reconnecting"
            self._changed.notify()
        if why not in outage.reasons:
            outage.reasons.add(why)
            log.warning("%s: %s; reconnecting", self.description, why)
        self._attempted.set()
        self._closing.wait(backoff_s(outage.attempts, now - outage.since))
        outage.attempts += 1

    def _raise_error(self) -> None:
        if self._error:
            raise self._error

    def _check_timeouts(self, now: float) -> None:
        self._clock.advance(now)
        if self._clock.now - self._alive_since > HANG_TIMEOUT_S:
            raise TimeoutError(f"{self.description}: one call has taken more than {HANG_TIMEOUT_S:.0f} s")
        if self._give_up_after_s and self._clock.now - self._frame_since > self._give_up_after_s:
            error = RemiError(f"{self.description} gave no frame for {self._give_up_after_s:g} s (give_up_after_s)")
            error.exit_code = EXIT_GAVE_UP
            raise error
