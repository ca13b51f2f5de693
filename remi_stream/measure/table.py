"""The kinds of CSV files of measurements: their columns, what each measures, and appending rows, atomically and locked."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import math
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.measure import motion, remi_metrics

BetterDirection = Literal["higher", "lower", ""]
"""Empty if neither: change depends on how people move, and a frozen body has none."""


class Quantity(NamedTuple):
    """One column."""

    name: str
    """Display name, without the unit."""
    unit: str
    better: BetterDirection
    description: str
    """One-line description."""


class MeasurementKind(NamedTuple):
    """One kind of file."""

    name: str
    columns: tuple[str, ...]
    text_columns: int
    """Number of text columns before the numbers, including the time stamp."""
    quantities: tuple[Quantity, ...]


REMI_POSE = MeasurementKind(
    "REMI's pose program",
    remi_metrics.POSE_COLUMNS,
    2,
    (
        Quantity("Processing rate", "1/s", "higher", "1 / latency of each frame, not the frame rate"),
        Quantity("End-to-end latency", "ms", "lower", "from capture to the relay, without the viewer"),
        Quantity("Pose change", "", "", "change of the rotation matrix per frame, summed over 23 joints"),
        Quantity("Translation change", "", "", "change of the camera's four numbers, times 1000: not a distance"),
        Quantity("Joint position change", "mm", "", "mean displacement of the vertices per frame, about the body's origin"),
        Quantity("Shape variance", "", "", "variance among the ten betas of a frame, not over time"),
        Quantity("Detection rate", "%", "higher", "frames with a SMPL pose"),
    ),
)
REMI_RELAY = MeasurementKind(
    "REMI's relay",
    remi_metrics.RELAY_COLUMNS,
    3,
    (
        Quantity("Packet rate", "1/s", "higher", "mean of 1 / time between two packets"),
        Quantity("Filter time", "ms", "lower", "computing time per packet; not the filter's lag"),
        Quantity("Body change, raw", "rad", "", "norm of the change of the 69 pose numbers per packet"),
        Quantity("Body change, filtered", "rad", "", "the same after the filter"),
        Quantity("Root change, raw", "rad", "", "norm of the change of the root's three numbers per packet"),
        Quantity("Root change, filtered", "rad", "", "the same after the filter"),
        Quantity("Translation change, raw", "mm", "", "displacement of the translation per packet"),
        Quantity("Translation change, filtered", "mm", "", "the same after the filter"),
        Quantity("Shape variance, raw", "", "", "variance among the ten betas of a packet, not over time"),
        Quantity("Shape variance, filtered", "", "", "the same after the filter"),
    ),
)
REMI_STREAM_MOTION = MeasurementKind(
    "remi-stream",
    motion.MOTION_COLUMNS,
    motion.TEXT_COLUMN_COUNT,
    (
        Quantity("Frames", "1/s", "higher", "bodies received per second"),
        Quantity("Latency", "ms", "lower", "from capture to the viewer: here"),
        Quantity("Latency, 95th percentile", "ms", "lower", "19 of 20 frames are faster"),
        Quantity("Filter lag", "ms", "lower", "additional delay of filtered people; as measured"),
        Quantity("Frames with people", "%", "higher", "of all frames received"),
        Quantity("People", "", "", "mean number per frame"),
        Quantity("Joint change", "mm", "", "mean displacement of a joint per frame"),
        Quantity("Joint change about root", "mm", "", "the same relative to the root"),
        Quantity("Root change", "mm", "", "displacement of the root per frame"),
        Quantity("Joint jitter", "mm", "lower", "mean distance of a joint from linear motion between its neighbours"),
        Quantity("Root jitter", "mm", "lower", "the same of the root"),
        Quantity("Rotation change", "deg", "", "mean rotation of a joint in its parent per frame"),
        Quantity("Shape change", "", "lower", "norm of the change of the betas per frame: a person has one shape"),
    ),
)
MEASUREMENT_KINDS = (REMI_POSE, REMI_RELAY, REMI_STREAM_MOTION)


def kind_from_columns(columns: tuple[str, ...]) -> MeasurementKind | None:
    """Return the kind of file with these columns, or None."""
    return next((kind for kind in MEASUREMENT_KINDS if kind.columns == columns), None)


def format_row(recorded_at: datetime, names: Iterable[str], numbers: Iterable[float]) -> list[str]:
    """Format a row as REMI does: local time, names (condition, ...), numbers."""
    return [f"{recorded_at:%Y-%m-%d %H:%M:%S}", *names, *map(format_number, numbers)]


def format_number(value: float) -> str:
    """Format with four decimals; float32 in its shortest unique form, as REMI writes it; NaN if not measured."""
    if math.isnan(value):
        return "NaN"
    return str(value) if isinstance(value, np.float32) else f"{value:.4f}"


def format_csv_line(row: Sequence[str]) -> str:
    """Format a CSV row, without line end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue()


def append_row(path: Path, columns: Sequence[str], row: Sequence[str]) -> None:
    """Append a row to the file, which is created with its header if missing; safe with several processes at once.

    Raises RemiError if the file has other columns or cannot be written; it is then unchanged.
    """
    if len(row) != len(columns):
        raise ValueError(f"a row of {len(row)} cells for {len(columns)} columns")
    try:
        with open(path, "a+b", buffering=0) as file:
            # header and row under one lock: several programs may measure into one file
            fcntl.flock(file, fcntl.LOCK_EX)
            _append(file, path, format_csv_line(columns).encode(), format_csv_line(row).encode())
    except OSError as error:
        raise RemiError(f"{path} cannot be written: {error.strerror or error}.") from None


def check_appendable(path: Path, columns: Sequence[str]) -> None:
    """Check without writing that a row can be appended, before a long measurement. Raises RemiError if not."""
    try:
        if not path.exists():
            if not path.parent.is_dir():
                raise RemiError(f"{path} cannot be written: folder {path.parent} does not exist.")
            return
        with open(path, "r+b", buffering=0) as file:
            _require_columns(file, path, format_csv_line(columns).encode())
    except OSError as error:
        raise RemiError(f"{path} cannot be written: {error.strerror or error}.") from None


def _append(file: io.FileIO, path: Path, header: bytes, row: bytes) -> None:
    size = _require_columns(file, path, header)
    # a torn last row, without its line end, is ended first
    data = (b"" if size else header + b"\n") + (b"\n" if size and not _ends_line(file) else b"") + row + b"\n"
    try:
        is_complete = file.write(data) == len(data)
    except OSError:
        with contextlib.suppress(OSError):  # a device cannot be truncated; report the write error instead
            file.truncate(size)
        raise
    if not is_complete:
        file.truncate(size)
        raise RemiError(f"{path} cannot be written: the disk is full.")


def _require_columns(file: io.FileIO, path: Path, header: bytes) -> int:
    """Return the file's size. Raises RemiError if it has another header."""
    size = file.seek(0, os.SEEK_END)
    if size and not _starts_with(file, header):
        raise RemiError(f"{path} has other columns than this measurement. Name another file, or move this one away.")
    return size


def _starts_with(file: io.FileIO, header: bytes) -> bool:
    file.seek(0)
    start = file.read(len(header) + 1)
    return start[:-1] == header and start[-1:] in (b"\r", b"\n")


def _ends_line(file: io.FileIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
