"""Append-only journal of a growing recording: its events, one JSON line each, and its files of binary rows.

A flush appends the new rows to each row file, then the events, the last of which has the number of valid rows per file; partial
data after that is not read. So a recorder that is killed loses nothing before its last flush.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np

from remi_stream.errors import RemiError
from remi_stream.paths import FileName

RECORDING_SCHEMA: Literal[1] = 1
"""Version of the recording format."""
EVENTS_FILE = "events.jsonl"
"""File of the events."""


RowLength = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
"""Far above any skeleton; a damaged number must not ask for all memory."""

log = logging.getLogger("remi_stream")


class RecordingStarted(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """First line: the recording started."""

    schema: Literal[1] = RECORDING_SCHEMA
    version: str
    """Of remi-stream."""
    camera: str
    started_at: str
    """ISO 8601."""
    wall_minus_monotonic_s: float
    """captured_at plus this is Unix time."""


class CameraChanged(msgspec.Struct, frozen=True, kw_only=True, tag="camera"):
    """The camera's properties from now on. Fields as in CameraFacts."""

    source: str = ""
    fps: float = 0.0
    camera_from_world: tuple[float, ...] | None = None


class EpochStarted(msgspec.Struct, frozen=True, kw_only=True, tag="epoch"):
    """The camera's capture process started; properties of its frames. Fields as in Bodies."""

    epoch: int
    engine: str
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]


class TrackStarted(msgspec.Struct, frozen=True, kw_only=True, tag="track"):
    """A track's first row. Skeletons as in Person."""

    name: FileName
    """Name of its files."""
    track_id: int
    skeleton: str
    joints_skeleton: str = ""
    joints: RowLength
    """Number of joints in a row."""
    keypoints: RowLength
    """Number of key points in a row."""


class RecordingGap(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """Consecutive frames that are not in the recording."""

    epoch: int
    frame_ids: tuple[int, int]
    """First and last missing frame."""
    reasons: dict[str, int]
    """Number of frames by drop reason."""


class JournalFlushed(msgspec.Struct, frozen=True, kw_only=True, tag="flushed"):
    """Last line of each flush."""

    rows: dict[str, int]
    """Number of valid rows by row file; a file that is not named keeps its number."""


class RecordingEnded(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """Last line: the recording ended."""

    ended_at: str
    """ISO 8601."""
    reason: str = ""
    """Why it was cut short; "" if it was not."""


JournalEvent = RecordingStarted | CameraChanged | EpochStarted | TrackStarted | RecordingGap | JournalFlushed | RecordingEnded


class Journal:
    """Writes a journal. Its folder is locked while it is open, so that no recovery takes it for a dead one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._lock = lock_journal(folder)
        self._events: list[JournalEvent] = []
        self._new_rows: defaultdict[str, list[bytes]] = defaultdict(list)
        self._rows: defaultdict[str, int] = defaultdict(int)
        self._size: Counter[str] = Counter()

    def add_event(self, event: JournalEvent) -> None:
        """Add an event to the next flush."""
        self._events.append(event)

    def add_row(self, name: str, row: bytes) -> None:
        """Add a row of a row file to the next flush."""
        self._new_rows[name].append(row)

    def flush(self) -> int:
        """Append everything new and fsync; return the number of bytes. Raises OSError; then nothing of it is valid."""
        if not self._events and not self._new_rows:
            return 0
        counts = {name: self._rows[name] + len(rows) for name, rows in self._new_rows.items()}
        # rows are appended before the events: only the JournalFlushed line makes them valid
        parts = {f"{name}.rows": b"".join(rows) for name, rows in self._new_rows.items()}
        parts[EVENTS_FILE] = b"".join(
            msgspec.json.encode(event) + b"\n" for event in [*self._events, JournalFlushed(rows=counts)]
        )
        # cleared before writing: what a failed flush loses is counted by the caller and not written twice
        self._events.clear()
        self._new_rows.clear()
        try:
            for name, data in parts.items():
                self._append(name, data)
        except OSError:
            self._roll_back(parts)
            raise
        self._rows.update(counts)
        for name, data in parts.items():
            self._size[name] += len(data)
        return sum(map(len, parts.values()))

    def close(self) -> None:
        """Unlock the folder."""
        self._lock.close()

    def _append(self, name: str, data: bytes) -> None:
        with open(self.folder / name, "ab", buffering=0) as file:
            rest = memoryview(data)
            while rest:  # write() is partial on a disk that is nearly full
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())

    def _roll_back(self, names: Iterable[str]) -> None:
        """Truncate what a failed flush has appended; on a full disk that makes room for the last line."""
        for name in names:
            if (self.folder / name).exists():
                os.truncate(self.folder / name, self._size[name])


def read_events(folder: Path) -> list[JournalEvent]:
    """Read the events of a journal up to a torn or damaged line."""
    # what follows the last newline is torn, or empty
    *lines, _torn = (folder / EVENTS_FILE).read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(JournalEvent)
    events: list[JournalEvent] = []
    for line in lines:
        try:
            events.append(decoder.decode(line))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            break
    return events


def lock_journal(folder: Path) -> FileIO:
    """Lock a journal until the file is closed. Raises BlockingIOError while its recorder runs."""
    # flock ends with the process: the journal of a killed recorder can be locked by a recovery
    file = FileIO(folder / EVENTS_FILE, "a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


class JournalContents(NamedTuple):
    """Contents of a journal."""

    folder: Path
    """Of the journal."""
    started: RecordingStarted
    camera: CameraChanged
    ended: RecordingEnded | None
    """None after a crash."""
    epochs: list[EpochStarted]
    tracks: dict[str, TrackStarted]
    """By the name of their files."""
    gaps: list[RecordingGap]
    row_counts: dict[str, int]
    """Number of valid rows by row file."""

    def read_rows(self, name: str, dtype: np.dtype) -> np.ndarray:
        """Valid rows of a row file, memory-mapped; of a file that has been cut, those that are left."""
        path = self.folder / f"{name}.rows"
        expected = self.row_counts.get(name, 0)
        count = min(expected, path.stat().st_size // dtype.itemsize if expected and path.exists() else 0)
        if count < expected:
            log.warning("%s is damaged: it has %d of %d rows", path, count, expected)
        if count <= 0:
            return np.empty(0, dtype)
        return np.memmap(path, dtype, "r", shape=(count,))


def read_journal(folder: Path) -> JournalContents:
    """Read a journal. Raises RemiError if it is empty."""
    events = read_events(folder)
    if not events or not isinstance(events[0], RecordingStarted):
        raise RemiError(f"{folder} holds no recording: the recorder was killed before the first event. Delete it")
    rows: dict[str, int] = {}
    # counts are totals: the last flush that is readable decides
    for event in events:
        if isinstance(event, JournalFlushed):
            rows.update(event.rows)
    return JournalContents(
        folder=folder,
        started=events[0],
        camera=next((event for event in reversed(events) if isinstance(event, CameraChanged)), CameraChanged()),
        ended=next((event for event in events if isinstance(event, RecordingEnded)), None),
        epochs=[event for event in events if isinstance(event, EpochStarted)],
        tracks={event.name: event for event in events if isinstance(event, TrackStarted)},
        gaps=[event for event in events if isinstance(event, RecordingGap)],
        row_counts=rows,
    )
