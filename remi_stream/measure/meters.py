"""Measure the cameras of a running pipeline: keep their last seconds, and compute a row on request only."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError, UsageError, unknown
from remi_stream.measure import motion, pose_program, relay_program
from remi_stream.measure.look import look_of
from remi_stream.measure.motion import MotionMeter
from remi_stream.measure.pose_program import Look, PoseMeter
from remi_stream.measure.quantities import FILTER, MOTION, POSE, Kind
from remi_stream.measure.table import append, cells, check
from remi_stream.measure.window import NAN, WINDOW_S
from remi_stream.messages import Bodies
from remi_stream.mounts import why_unwritable

LONGEST_CONDITION = 60
BEFORE_S = 1.0
"""History kept before the measured window: its first frames are compared with the frames before them."""
TENSORRT = "tensorrt"
FILES = {MOTION: motion.FILE, FILTER: relay_program.FILE}

Ask = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Sends a request to the relay's control socket and returns the reply."""


class Seen(NamedTuple):
    """Bodies with their time of arrival."""

    bodies: Bodies
    came_at: float
    """Monotonic time, s."""


class Sheet(NamedTuple):
    """A row of one of the files, in the order of its kind's columns."""

    kind: Kind
    names: Sequence[str]
    """The text columns after the time stamp."""
    numbers: Sequence[float]

    def append_to(self, path: Path, recorded_at: datetime) -> Path:
        """Append the row to a file, which is created if missing; return its path. Raises RemiError if it cannot be written."""
        append(path, self.kind.columns, cells(recorded_at, self.names, self.numbers))
        return path


class Meters:
    """Meters of all cameras, for viewers:

        meters = Meters(config.makers, partial(ask_control, config.port(CONTROL)))
        meters.take(bodies, time.monotonic())            # for all bodies from the bus; takes no time
        paths = meters.record("front", "Low Light", Path(config.measurements), time.monotonic())

    `record` takes about a second, since it poses the mesh of every frame: call it in a separate thread. engines: by camera, as
    requested ("poco-trt"). ask: sends a control request to the relay (None: its filter is not measured). seconds: length of the
    measured window. look: observes a frame as REMI's pose program does.
    """

    def __init__(
        self,
        engines: Mapping[str, str],
        ask: Ask | None = None,
        seconds: float = WINDOW_S,
        look: Callable[[Bodies], Look | None] = look_of,
    ) -> None:
        self._engines, self._ask, self._seconds, self._look = engines, ask, seconds, look
        self._seen: dict[str, deque[Seen]] = {camera: deque() for camera in engines}
        self._lock = threading.Lock()

    def take(self, bodies: Bodies, now: float) -> None:
        """Keep a message received now, and discard messages older than the window."""
        with self._lock:
            seen = self._seen[bodies.camera]
            seen.append(Seen(bodies, now))
            while seen[0].came_at < now - self._seconds - BEFORE_S:
                seen.popleft()

    def record(self, camera: str, condition: str, folder: Path, now: float) -> list[Path]:
        """Append a camera's measurements to the files in a folder, which is created if missing; return their paths.

        With several cameras each has its own subfolder, since REMI's files have no column for the camera. condition: one of
        pose_program.CONDITIONS, or any other line of text. Raises UsageError for an unknown camera or an invalid condition,
        RemiError if there is nothing to measure or a file cannot be written.
        """
        sheets = self.measure(camera, condition, now)
        target = folder / camera if len(self._engines) > 1 else folder
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RemiError(f"{target} cannot be created: {why_unwritable(target, error, 'Give another folder')}.") from None
        paths = [target / self._file(sheet.kind, camera) for sheet in sheets]
        # Check all files before writing any, so that rows stay in step across files.
        for sheet, path in zip(sheets, paths):
            check(path, sheet.kind.columns)
        recorded_at = datetime.now()
        return [sheet.append_to(path, recorded_at) for sheet, path in zip(sheets, paths)]

    def measure(self, camera: str, condition: str, now: float) -> list[Sheet]:
        """Return the rows of REMI's pose program, remi-stream and, with a control socket, REMI's relay. Raises as `record`."""
        if camera not in self._engines:
            raise unknown("camera", camera, self._engines)
        condition = checked(condition)
        seen = self._recent(camera, now)
        lag_ms, filtered = self._filter(camera)
        names = [condition, camera, self._engines[camera], seen[-1].bodies.filter]
        return [
            Sheet(POSE, [condition], self._pose(seen, now)),
            Sheet(MOTION, names, self._motion(seen, now, lag_ms)),
            *(Sheet(FILTER, row[:2], row[2:]) for row in filtered),
        ]

    def _recent(self, camera: str, now: float) -> list[Seen]:
        """Return the kept messages of a camera. Raises RemiError if none is within the window."""
        with self._lock:
            seen = list(self._seen[camera])
        if not seen or seen[-1].came_at < now - self._seconds:
            raise RemiError(f"No bodies of camera '{camera}' in the last {self._seconds:g} s: there is nothing to measure.")
        return seen

    def _filter(self, camera: str) -> tuple[float, list[list[Any]]]:
        """Request the filter's lag, ms, and the row of REMI's relay (its last five seconds) from the relay."""
        if self._ask is None:
            return NAN, []
        rows = self._ask({"ask": "filter_metrics", "camera": camera})["rows"].values()
        lag_s = self._ask({"ask": "filter", "camera": camera})["filters"][camera]["lag_s"]
        return NAN if lag_s is None else lag_s * 1000, [[NAN if cell is None else cell for cell in row] for row in rows]

    def _pose(self, seen: Iterable[Seen], now: float) -> list[float]:
        """Compute the row of REMI's pose program; a loop is the time from capture to the relay's stamp.

        REMI's own loop begins earlier, before the camera is read.
        """
        meter = PoseMeter(self._seconds)
        for bodies, _ in seen:
            meter.take(bodies.captured_at, bodies.stamps["relay"] - bodies.captured_at, self._look(bodies))
        return meter.means(now)

    def _motion(self, seen: Iterable[Seen], now: float, lag_ms: float) -> list[float]:
        meter = MotionMeter(self._seconds)
        for bodies, came_at in seen:
            meter.take(bodies, came_at)
        return meter.means(now, lag_ms)

    def _file(self, kind: Kind, camera: str) -> str:
        """Return the file of a row; REMI has separate programs, and so files, with and without TensorRT."""
        from remi_stream.pose.engine import choose

        if kind is not POSE:
            return FILES[kind]
        _, runtime = choose(self._engines[camera])
        return pose_program.FILE if runtime == TENSORRT else pose_program.PLAIN_FILE


def checked(condition: str) -> str:
    """Strip and check a condition. Raises UsageError unless it is one printable line."""
    condition = condition.strip()
    if not condition or not condition.isprintable() or len(condition) > LONGEST_CONDITION:
        raise UsageError(
            f"Condition {condition!r:.70} is not a line of 1 to {LONGEST_CONDITION} printable characters. "
            f"REMI's are: {', '.join(pose_program.CONDITIONS)}."
        )
    return condition
