"""The display's measurement key: writes measurements of the last seconds to CSV files, as REMI's window does."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path

from remi_stream.config import CONTROL_SERVICE, Config
from remi_stream.errors import RemiError
from remi_stream.link import send_control_request
from remi_stream.measure.meters import CameraMeters
from remi_stream.measure.pose_program import CONDITIONS
from remi_stream.messages import Bodies

STATUS_S = 5.0
"""Time that a status text is shown, s."""
CLOSE_TIMEOUT_S = 2.0
"""Time that a running measurement has to finish when the window closes, s."""

log = logging.getLogger("remi_stream")


class DisplayMeasurement:
    """Writes a row for each camera on request, in a thread. condition: the label of the row."""

    def __init__(self, config: Config) -> None:
        self.condition = CONDITIONS[0]
        self._cameras = tuple(config.body_sources)
        self._folder = Path(config.measurements)
        self._meters = CameraMeters(config.body_sources, partial(send_control_request, config.port(CONTROL_SERVICE)))
        self._thread: threading.Thread | None = None
        self._status, self._status_at = "", float("-inf")

    def add(self, bodies: Bodies, now: float) -> None:
        """Add bodies to the window that a measurement covers. now: monotonic s."""
        self._meters.add(bodies, now)

    def choose_condition(self, number: int) -> None:
        """Choose a condition by its number, from 1."""
        self.condition = CONDITIONS[number - 1]

    def start(self, now: float) -> None:
        """Start a measurement of the last seconds, unless one is running. now: monotonic s."""
        if self._thread is None or not self._thread.is_alive():
            self._set_status("measuring ...", now)
            self._thread = threading.Thread(target=self._record, args=(self.condition, now), daemon=True)
            self._thread.start()

    def status_text(self, now: float) -> str:
        """The result of the last measurement, for some seconds; else "". now: monotonic s."""
        return self._status if now - self._status_at < STATUS_S else ""

    def close(self) -> None:
        """Wait for a running measurement."""
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _record(self, condition: str, now: float) -> None:
        written: list[Path] = []
        failures: list[str] = []
        for camera in self._cameras:
            try:
                written += self._meters.record(camera, condition, self._folder, now)
            except RemiError as error:
                failures.append(str(error))
        paths = ", ".join(dict.fromkeys(path.name for path in written))
        added = [f"{condition}: a row added in {self._folder} to {paths}."] if written else []
        status = " ".join([*added, *failures])
        log.info("%s", status)
        self._set_status(status, time.monotonic())

    def _set_status(self, status: str, now: float) -> None:
        self._status, self._status_at = status, now
