"""Measure the cameras of a running pipeline: keep their last seconds, and compute a row on request only."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError, UsageError, reading_answer, unknown_name_error
from remi_stream.measure import motion, remi_metrics
from remi_stream.measure.kinematics import NAN
from remi_stream.measure.motion import WINDOW_S, MotionMeter
from remi_stream.measure.remi_metrics import PoseMeter, PoseObservation, observe_pose
from remi_stream.measure.table import (
    REMI_POSE,
    REMI_RELAY,
    REMI_STREAM_MOTION,
    MeasurementKind,
    append_row,
    check_appendable,
    format_row,
)
from remi_stream.messages import Bodies
from remi_stream.permission_hints import write_error_hint

MAX_CONDITION_LENGTH = 60
HISTORY_S = 1.0
"""History kept before the measured window: its first frames are compared with the frames before them."""
TENSORRT = "tensorrt"
"""Name of the runtime for which REMI has a program of its own."""
METRIC_FILES = {REMI_STREAM_MOTION: motion.MOTION_FILE, REMI_RELAY: remi_metrics.RELAY_FILE}

ControlRequest = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Sends a request to the relay's control socket and returns the reply."""


class ReceivedBodies(NamedTuple):
    """Bodies with their time of arrival."""

    bodies: Bodies
    received_at: float
    """Monotonic time, s."""


class MeasurementRow(NamedTuple):
    """A row of one of the files, in the order of its kind's columns."""

    kind: MeasurementKind
    names: Sequence[str]
    """The text columns after the time stamp."""
    numbers: Sequence[float]

    def append_to(self, path: Path, recorded_at: datetime) -> Path:
        """Append the row to a file, which is created if missing; return its path. Raises RemiError if it cannot be written."""
        append_row(path, self.kind.columns, format_row(recorded_at, self.names, self.numbers))
        return path


class CameraMeters:
    """Meters of all cameras, for viewers:

        meters = CameraMeters(config.body_sources, partial(send_control_request, daemon))
        meters.add(bodies, time.monotonic())             # for all bodies from the bus; only stored
        paths = meters.record("front", "Low Light", Path(config.measurements), time.monotonic())

    `record` takes about a second, since it poses the mesh of every frame: call it in a separate thread. engines: by camera, as
    requested ("poco-trt"). request_control: sends a control request to the relay (None: its filter is not measured). seconds:
    length of the measured window. observe: observes a frame as REMI's pose program does.
    """

    def __init__(
        self,
        engines: Mapping[str, str],
        request_control: ControlRequest | None = None,
        seconds: float = WINDOW_S,
        observe: Callable[[Bodies], PoseObservation | None] = observe_pose,
    ) -> None:
        self._engines, self._request_control, self._seconds, self._observe = engines, request_control, seconds, observe
        self._received: dict[str, deque[ReceivedBodies]] = {camera: deque() for camera in engines}
        self._lock = threading.Lock()

    def add(self, bodies: Bodies, now: float) -> None:
        """Keep a message received now, s, and discard messages older than the window."""
        with self._lock:
            received = self._received[bodies.camera]
            received.append(ReceivedBodies(bodies, now))
            while received[0].received_at < now - self._seconds - HISTORY_S:
                received.popleft()

    def record(self, camera: str, condition: str, folder: Path, now: float) -> list[Path]:
        """Measure a camera and append its rows to the files in a folder; return their paths. Raises as `measure` and `append`."""
        return self.append(self.measure(camera, condition, now), camera, folder)

    def measure(self, camera: str, condition: str, now: float) -> list[MeasurementRow]:
        """Return the rows of REMI's pose program, remi-stream and, with a control socket, REMI's relay.

        condition: one of CONDITIONS, or any other line of text. Raises UsageError for an unknown camera or an invalid condition,
        RemiError if there is nothing to measure.
        """
        if camera not in self._engines:
            raise unknown_name_error("camera", camera, self._engines)
        condition = check_condition(condition)
        received = self._recent(camera, now)
        lag_ms, filtered = self._filter(camera)
        names = [condition, camera, self._engines[camera], received[-1].bodies.filter]
        return [
            MeasurementRow(REMI_POSE, [condition], self._pose(received, now)),
            MeasurementRow(REMI_STREAM_MOTION, names, self._motion(received, now, lag_ms)),
            *(MeasurementRow(REMI_RELAY, row[:2], row[2:]) for row in filtered),
        ]

    def append(self, rows: Sequence[MeasurementRow], camera: str, folder: Path) -> list[Path]:
        """Append a camera's rows to the files in a folder, which is created if missing; return their paths.

        With several cameras each has its own subfolder, since REMI's files have no column for the camera. Raises RemiError if a
        file cannot be written.
        """
        target = folder / camera if len(self._engines) > 1 else folder
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RemiError(f"{target} cannot be created: {write_error_hint(target, error, 'Give another folder')}.") from None
        paths = [target / self._file(row.kind, camera) for row in rows]
        # Check all files before writing any, so that rows stay in step across files.
        for row, path in zip(rows, paths):
            check_appendable(path, row.kind.columns)
        recorded_at = datetime.now()
        return [row.append_to(path, recorded_at) for row, path in zip(rows, paths)]

    def _recent(self, camera: str, now: float) -> list[ReceivedBodies]:
        """Return the kept messages of a camera. Raises RemiError if none is within the window."""
        # a copy: bodies arrive in another thread while a row is computed
        with self._lock:
            received = list(self._received[camera])
        if not received or received[-1].received_at < now - self._seconds:
            raise RemiError(f"No bodies of camera '{camera}' in the last {self._seconds:g} s: there is nothing to measure.")
        return received

    def _filter(self, camera: str) -> tuple[float, list[list[Any]]]:
        """Request the filter's lag, ms, and the row of REMI's relay (its last five seconds) from the relay."""
        if self._request_control is None:
            return NAN, []
        metrics = self._request_control({"ask": "filter_metrics", "camera": camera})
        filters = self._request_control({"ask": "filter", "camera": camera})
        with reading_answer("The daemon"):
            rows, lag_s = metrics["rows"].values(), filters["filters"][camera]["lag_s"]
            # a cell is a number, or a name as REMI writes it ("No Filter Active")
            cells = [[cell if isinstance(cell, str) else NAN if cell is None else float(cell) for cell in row] for row in rows]
            return NAN if lag_s is None else float(lag_s) * 1000, cells

    def _pose(self, received: Iterable[ReceivedBodies], now: float) -> list[float]:
        """Compute the row of REMI's pose program; a loop is the time from capture to the relay's stamp.

        REMI's own loop begins earlier, before the camera is read.
        """
        meter = PoseMeter(self._seconds)
        for bodies, _ in received:
            meter.add(bodies.captured_at, bodies.stamps["relay"] - bodies.captured_at, self._observe(bodies))
        return meter.means(now)

    def _motion(self, received: Iterable[ReceivedBodies], now: float, lag_ms: float) -> list[float]:
        meter = MotionMeter(self._seconds)
        for bodies, received_at in received:
            meter.add(bodies, received_at)
        return meter.means(now, lag_ms)

    def _file(self, kind: MeasurementKind, camera: str) -> str:
        """Return the file of a row; REMI has separate programs, and so files, with and without TensorRT."""
        from remi_stream.pose.engine import resolve_engine

        if kind is not REMI_POSE:
            return METRIC_FILES[kind]
        _, runtime = resolve_engine(self._engines[camera])
        return remi_metrics.POSE_FILE if runtime == TENSORRT else remi_metrics.POSE_FILE_WITHOUT_TENSORRT


def check_condition(condition: str) -> str:
    """Strip and check a condition. Raises UsageError unless it is one printable line."""
    condition = condition.strip()
    if not condition or not condition.isprintable() or len(condition) > MAX_CONDITION_LENGTH:
        raise UsageError(
            f"Condition {condition!r:.70} is not a line of 1 to {MAX_CONDITION_LENGTH} printable characters. "
            f"REMI's are: {', '.join(remi_metrics.CONDITIONS)}."
        )
    return condition
