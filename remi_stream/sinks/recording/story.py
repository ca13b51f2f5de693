"""Read a recording's journal: its events by type, and its row files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.sinks.recording.events import Begun, CameraTold, Ended, EpochBegun, Flushed, Gap, TrackBegun
from remi_stream.sinks.recording.journal import read_events


class Story(NamedTuple):
    """Contents of a journal."""

    folder: Path
    """Of the journal."""
    begun: Begun
    camera: CameraTold
    ended: Ended | None
    """None after a crash."""
    epochs: list[EpochBegun]
    tracks: dict[str, TrackBegun]
    """By the name of their files."""
    gaps: list[Gap]
    rows: dict[str, int]
    """Number of valid rows by row file."""

    def rows_of(self, name: str, layout: np.dtype) -> np.ndarray:
        """Valid rows of a row file, memory-mapped."""
        count = self.rows.get(name, 0)
        if not count:
            return np.empty(0, layout)
        return np.memmap(self.folder / f"{name}.rows", layout, "r", shape=(count,))


def read_story(folder: Path) -> Story:
    """Read a journal. Raises RemiError if it is empty."""
    events = read_events(folder)
    if not events or not isinstance(events[0], Begun):
        raise RemiError(f"{folder} holds no recording: the recorder was killed before the first event. Delete it")
    rows: dict[str, int] = {}
    for event in events:
        if isinstance(event, Flushed):
            rows.update(event.rows)
    return Story(
        folder=folder,
        begun=events[0],
        camera=next((event for event in reversed(events) if isinstance(event, CameraTold)), CameraTold()),
        ended=next((event for event in events if isinstance(event, Ended)), None),
        epochs=[event for event in events if isinstance(event, EpochBegun)],
        tracks={event.name: event for event in events if isinstance(event, TrackBegun)},
        gaps=[event for event in events if isinstance(event, Gap)],
        rows=rows,
    )
