"""Append-only journal of a growing recording; a killed recorder loses nothing before the last flush.

A flush appends the new rows to each row file, then the events, the last of which has the number of valid rows per file. Partial
data after that is not read.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

import msgspec

from remi_stream.sinks.recording.events import JournalEvent, JournalFlushed

EVENTS_FILE = "events.jsonl"
"""File of the events."""


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
        parts = {f"{name}.rows": b"".join(rows) for name, rows in self._new_rows.items()}
        parts[EVENTS_FILE] = b"".join(
            msgspec.json.encode(event) + b"\n" for event in [*self._events, JournalFlushed(rows=counts)]
        )
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
    *lines, _torn = (folder / EVENTS_FILE).read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(JournalEvent)
    events: list[JournalEvent] = []
    for line in lines:
        try:
            events.append(decoder.decode(line))
        except msgspec.MsgspecError:
            break
    return events


def lock_journal(folder: Path) -> FileIO:
    """Lock a journal until the file is closed. Raises BlockingIOError while its recorder runs."""
    file = FileIO(folder / EVENTS_FILE, "a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file
