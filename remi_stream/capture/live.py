"""A camera that comes and goes: read in a thread of its own, looked for again when it is lost."""

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

from remi_stream.capture.source import Picture, State
from remi_stream.errors import GAVE_UP, RemiError

OPEN_S, WAIT_S, HANG_S, LEAVE_S = 4.0, 1.0, 6.0, 1.0
PATIENT_S, SLOW_S = 120.0, 2.0
DEPTH = 3
"""So many pictures may wait: after a hiccup of the network some come at once. Whoever reads is faster than any camera."""

log = logging.getLogger("remi_stream")


_open: weakref.WeakSet[LiveSource] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    """Let go of all cameras before the interpreter ends: it aborts the process if a thread is inside OpenCV then."""
    sources, end = list(_open), time.monotonic() + LEAVE_S
    for source in sources:
        source.close()
    for source in sources:
        source.join(max(0.0, end - time.monotonic()))


class Away(Exception):  # noqa: N818
    """The camera gives no pictures now; why, in a few words. Not an error: it is looked for until it is back."""


class Device(Protocol):
    """How one kind of camera is connected to."""

    description: str
    fps: float

    def pictures(self) -> Generator[Picture | None, None, None]:
        """Connect, and give pictures until the camera is lost; None is a sign of life without a picture.

        Raises Away, or RemiError for what the user has to mend.
        """
        ...


class Outage:
    """The time without the camera: since when, how often it was looked for, and the reasons that were told."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.attempts = 0
        self.reasons: set[str] = set()


def pause_s(attempt: int, outage_s: float) -> float:
    """How long to wait before looking again: 0.2 s, 0.3 s, 0.45 s, then 0.5 s, after two minutes 2 s."""
    return SLOW_S if outage_s > PATIENT_S else min(0.5, 0.2 * 1.5 ** min(attempt, 10))


class LiveSource:
    """A Source made of a Device. again: the process was restarted, so nothing is an error of the user's any more."""

    def __init__(self, device: Device, *, give_up_after_s: float | None = None, again: bool = False) -> None:
        self.description = device.description
        self.fps = 0.0
        self.state: State = "starting"
        self._device = device
        self._give_up_after_s = give_up_after_s
        self._again = again
        self._news = threading.Condition()
        self._pictures: deque[Picture] = deque()
        self._error: Exception | None = None
        self._outage: Outage | None = None
        self._just_lost = False
        self._missed = 0
        self._closing = threading.Event()
        self._tried = threading.Event()
        self._alive_at = self._seen_at = time.monotonic()

    def open(self) -> None:
        """Begin to look for the camera. What it refuses at once is an error; a camera that is away is not."""
        self._alive_at = self._seen_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()
        _open.add(self)
        self._tried.wait(OPEN_S)
        self._raise_error()

    def read(self) -> Picture | None:
        """Give the oldest picture that waits; its `missed` says how many came before it and were dropped."""
        with self._news:
            self._news.wait_for(lambda: self._pictures or self._error or self._just_lost, WAIT_S)
            self._just_lost = False
            picture = self._pictures.popleft() if self._pictures else None
            missed, self._missed = (self._missed, 0) if picture else (0, self._missed)
        self._raise_error()
        self._check_patience(time.monotonic())
        return picture._replace(missed=missed) if picture else None

    def close(self) -> None:
        """Let go of the camera, at its next picture or failure."""
        self._closing.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the camera has been let go of."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                why = self._watch()
                if not self._closing.is_set():
                    self._miss(why)
        except Exception as error:  # noqa: BLE001  raised again where it is read
            with self._news:
                self._error = error
                self._news.notify()
            self._tried.set()

    def _watch(self) -> str:
        """Take pictures until the camera is lost, and say why it was."""
        try:
            with closing(self._device.pictures()) as pictures:
                for picture in pictures:
                    self._give(picture)
                    if self._closing.is_set():
                        break
        except Away as away:
            return str(away)
        except RemiError as error:
            if self.state == "starting" and not self._again:
                raise
            return str(error)
        return "the stream has ended"

    def _give(self, picture: Picture | None) -> None:
        self._alive_at = time.monotonic()
        if picture is None:
            return
        if self._outage:
            log.info("%s: here after %.1f s", self.description, self._alive_at - self._outage.since)
        with self._news:
            self._pictures.append(picture)
            if len(self._pictures) > DEPTH:
                self._pictures.popleft()
                self._missed += 1
            self._outage, self.state, self._seen_at = None, "live", self._alive_at
            self._news.notify()
        self.fps = self._device.fps
        self._tried.set()

    def _miss(self, why: str) -> None:
        """Say once what is wrong, and wait a moment before the next look."""
        self._alive_at = now = time.monotonic()
        outage = self._outage or Outage(now)
        with self._news:
            self._just_lost = self._outage is None
            self._outage, self.state = outage, "reconnecting"
            self._news.notify()
        if why not in outage.reasons:
            outage.reasons.add(why)
            log.warning("%s: %s; looking for it", self.description, why)
        self._tried.set()
        self._closing.wait(pause_s(outage.attempts, now - outage.since))
        outage.attempts += 1

    def _raise_error(self) -> None:
        if self._error:
            raise self._error

    def _check_patience(self, now: float) -> None:
        if now - self._alive_at > HANG_S:
            raise TimeoutError(f"{self.description}: one call has taken more than {HANG_S:.0f} s")
        if self._give_up_after_s and now - self._seen_at > self._give_up_after_s:
            error = RemiError(f"{self.description} gave no picture for {self._give_up_after_s:g} s, as long as was asked for")
            error.exit_code = GAVE_UP
            raise error
