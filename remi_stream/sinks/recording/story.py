"""Read a recording's journal: its events by type, and its row files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.sinks.recording.events import (
    CameraChanged,
    EpochStarted,
    FrameGap,
    JournalFlushed,
    RecordingEnded,
    RecordingStarted,
    TrackStarted,
)
from remi_stream.sinks.recording.journal import read_events


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
    gaps: list[FrameGap]
    row_counts: dict[str, int]
    """Number of valid rows by row file."""

    def read_rows(self, name: str, dtype: np.dtype) -> np.ndarray:
        """Valid rows of a row file, memory-mapped."""
        count = self.row_counts.get(name, 0)
        if not count:
            return np.empty(0, dtype)
        return np.memmap(self.folder / f"{name}.rows", dtype, "r", shape=(count,))


def read_journal(folder: Path) -> JournalContents:
    """Read a journal. Raises RemiError if it is empty."""
    events = read_events(folder)
    if not events or not isinstance(events[0], RecordingStarted):
        raise RemiError(f"{folder} holds no recording: the recorder was killed before the first event. Delete it")
    rows: dict[str, int] = {}
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
        gaps=[event for event in events if isinstance(event, FrameGap)],
        row_counts=rows,
    )
