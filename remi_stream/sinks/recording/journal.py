"""The growing part of a recording: append-only files, of which a kill leaves everything up to the last flush.

A flush writes the new rows of every row file, then the events, the last of which says how many rows of each file count. So
whatever is half-written behind that is not read.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

import msgspec

from remi_stream.sinks.recording.events import Event, Flushed

EVENTS = "events.jsonl"


class Journal:
    """Writes; its folder is locked for as long as it is open, so that nobody takes it for a dead one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._lock = lock(folder)
        self._events: list[Event] = []
        self._new: defaultdict[str, list[bytes]] = defaultdict(list)
        self._rows: defaultdict[str, int] = defaultdict(int)
        self._size: Counter[str] = Counter()

    def note(self, event: Event) -> None:
        """Add an event to the next flush."""
        self._events.append(event)

    def add(self, name: str, row: bytes) -> None:
        """Add a row of a row file to the next flush."""
        self._new[name].append(row)

    def flush(self) -> int:
        """Put everything new on the disk and give how many bytes it was. Raises OSError; then nothing of it counts."""
        if not self._events and not self._new:
            return 0
        counts = {name: self._rows[name] + len(rows) for name, rows in self._new.items()}
        parts = {f"{name}.rows": b"".join(rows) for name, rows in self._new.items()}
        parts[EVENTS] = b"".join(msgspec.json.encode(event) + b"\n" for event in [*self._events, Flushed(rows=counts)])
        self._events.clear()
        self._new.clear()
        try:
            for name, data in parts.items():
                self._append(name, data)
        except OSError:
            self._take_back(parts)
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
            while rest:  # a disk that is nearly full takes less than it is given
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())

    def _take_back(self, names: Iterable[str]) -> None:
        """Cut off what the flush that failed has left; on a full disk that makes room for the last line."""
        for name in names:
            if (self.folder / name).exists():
                os.truncate(self.folder / name, self._size[name])


def read_events(folder: Path) -> list[Event]:
    """Give the events of a journal, up to a torn or damaged line."""
    *lines, _torn = (folder / EVENTS).read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(Event)
    events: list[Event] = []
    for line in lines:
        try:
            events.append(decoder.decode(line))
        except msgspec.MsgspecError:
            break
    return events


def lock(folder: Path) -> FileIO:
    """Lock a journal until the file is closed. Raises BlockingIOError while a recorder that is alive writes it."""
    file = FileIO(folder / EVENTS, "a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file
