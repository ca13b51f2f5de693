"""Measures the cameras of a running pipeline: keeps their last seconds, and computes only when somebody asks for a row."""

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
"""What is kept before the seconds that are measured: their first frames are compared with it."""
TENSORRT = "tensorrt"
FILES = {MOTION: motion.FILE, FILTER: relay_program.FILE}

Ask = Callable[[dict[str, Any]], Mapping[str, Any]]


class Seen(NamedTuple):
    """Bodies, and when they came, monotonic s."""

    bodies: Bodies
    came_at: float


class Sheet(NamedTuple):
    """A row of one of the files, in the order of its kind's columns: names after the time stamp, then numbers."""

    kind: Kind
    names: Sequence[str]
    numbers: Sequence[float]

    def append_to(self, path: Path, recorded_at: datetime) -> Path:
        """Add the row to a file, which is made if it is not there. Raises RemiError if it cannot be."""
        append(path, self.kind.columns, cells(recorded_at, self.names, self.numbers))
        return path


class Meters:
    """For viewers:

        meters = Meters(config.makers, partial(ask_control, config.port(CONTROL)))
        meters.take(bodies, time.monotonic())            # all bodies that come over the bus; costs nothing
        paths = meters.record("front", "Low Light", Path(config.measurements), time.monotonic())

    `record` takes about a second, since it poses the mesh of every frame: call it in a thread of its own. engines: of each
    camera, as they were asked for ("poco-trt"). ask: puts a question to the relay (None: its filter is not measured).
    seconds: how long is measured. look: what REMI's pose program sees in a frame.
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
        """Keep a message that came now, and forget the oldest."""
        with self._lock:
            seen = self._seen[bodies.camera]
            seen.append(Seen(bodies, now))
            while seen[0].came_at < now - self._seconds - BEFORE_S:
                seen.popleft()

    def record(self, camera: str, condition: str, folder: Path, now: float) -> list[Path]:
        """Append what was measured of a camera to the files in a folder, which is made if it is not there; give their paths.

        Several cameras have a folder each in it, since REMI's files do not name them. condition: of pose_program.CONDITIONS,
        or any other line of text. Raises UsageError for another camera or condition, RemiError if there is nothing to
        measure or a file cannot be written.
        """
        sheets = self.measure(camera, condition, now)
        place = folder / camera if len(self._engines) > 1 else folder
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RemiError(f"{place} cannot be made: {why_unwritable(place, error, 'Give another folder')}.") from None
        paths = [place / self._file(sheet.kind, camera) for sheet in sheets]
        for sheet, path in zip(sheets, paths):
            check(path, sheet.kind.columns)
        recorded_at = datetime.now()
        return [sheet.append_to(path, recorded_at) for sheet, path in zip(sheets, paths)]

    def measure(self, camera: str, condition: str, now: float) -> list[Sheet]:
        """REMI's row, ours, and (if the relay can be asked) that of REMI's relay. Raises as `record` does."""
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
        """What is kept of a camera, if some of it is recent enough to be measured."""
        with self._lock:
            seen = list(self._seen[camera])
        if not seen or seen[-1].came_at < now - self._seconds:
            raise RemiError(f"No bodies of camera '{camera}' in the last {self._seconds:g} s: there is nothing to measure.")
        return seen

    def _filter(self, camera: str) -> tuple[float, list[list[Any]]]:
        """How far the filter lags, ms, and the row of REMI's relay (of its last five seconds), as the relay has measured them."""
        if self._ask is None:
            return NAN, []
        rows = self._ask({"ask": "filter_metrics", "camera": camera})["rows"].values()
        lag_s = self._ask({"ask": "filter", "camera": camera})["filters"][camera]["lag_s"]
        return NAN if lag_s is None else lag_s * 1000, [[NAN if cell is None else cell for cell in row] for row in rows]

    def _pose(self, seen: Iterable[Seen], now: float) -> list[float]:
        """REMI's loop begins before the camera is read, ours when the picture is there; it ends at the relay's stamp."""
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
        """Where a row is written; REMI has a program for TensorRT, and one without."""
        from remi_stream.pose.engine import choose

        if kind is not POSE:
            return FILES[kind]
        _, runtime = choose(self._engines[camera])
        return pose_program.FILE if runtime == TENSORRT else pose_program.PLAIN_FILE


def checked(condition: str) -> str:
    """A condition without spaces around it. Raises UsageError unless it is a line that can be printed."""
    condition = condition.strip()
    if not condition or not condition.isprintable() or len(condition) > LONGEST_CONDITION:
        raise UsageError(
            f"Condition {condition!r:.70} is not a line of 1 to {LONGEST_CONDITION} characters that can be printed. "
            f"REMI's are: {', '.join(pose_program.CONDITIONS)}."
        )
    return condition
