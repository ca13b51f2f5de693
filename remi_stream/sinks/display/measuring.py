"""What the key r does: measurements are written to files, as in REMI's window."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path

from remi_stream.config import CONTROL, Config
from remi_stream.errors import RemiError
from remi_stream.link import ask_control
from remi_stream.measure.meters import Meters
from remi_stream.measure.pose_program import CONDITIONS
from remi_stream.messages import Bodies

TOLD_S = 5.0
CLOSE_S = 2.0

log = logging.getLogger("remi_stream")


class Measuring:
    """Writes a row for each camera when it is asked to, in a thread; condition: what is said to go on meanwhile."""

    def __init__(self, config: Config) -> None:
        self.condition = CONDITIONS[0]
        self._cameras = tuple(config.makers)
        self._folder = Path(config.measurements)
        self._meters = Meters(config.makers, partial(ask_control, config.port(CONTROL)))
        self._thread: threading.Thread | None = None
        self._news, self._news_at = "", float("-inf")

    def take(self, bodies: Bodies, now: float) -> None:
        """Keep a message, for who may ask."""
        self._meters.take(bodies, now)

    def choose(self, number: int) -> None:
        """Choose the condition of this number, from 1."""
        self.condition = CONDITIONS[number - 1]

    def start(self, now: float) -> None:
        """Begin to write the rows of the last seconds; one after the other."""
        if self._thread is None or not self._thread.is_alive():
            self._tell("measuring ...", now)
            self._thread = threading.Thread(target=self._record, args=(self.condition, now), daemon=True)
            self._thread.start()

    def news(self, now: float) -> str:
        """What came of it, for some seconds; else empty."""
        return self._news if now - self._news_at < TOLD_S else ""

    def close(self) -> None:
        """Let a row that is being written be written."""
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _record(self, condition: str, now: float) -> None:
        written: list[Path] = []
        failures: list[str] = []
        for camera in self._cameras:
            try:
                written += self._meters.record(camera, condition, self._folder, now)
            except RemiError as error:
                failures.append(str(error))
        paths = ", ".join(dict.fromkeys(path.name for path in written))
        told = [f"{condition}: a row added in {self._folder} to {paths}."] if written else []
        news = " ".join([*told, *failures])
        log.info("%s", news)
        self._tell(news, time.monotonic())

    def _tell(self, news: str, now: float) -> None:
        self._news, self._news_at = news, now
