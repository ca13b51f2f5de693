"""Append rows to a CSV file of measurements, atomically and with file locking; the header is written once."""

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

import numpy as np

from remi_stream.errors import RemiError


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
