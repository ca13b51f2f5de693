"""What a journal tells, sorted by kind."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError
from remi_stream.sinks.recording.events import Begun, CameraTold, Ended, EpochBegun, Flushed, Gap, TrackBegun
from remi_stream.sinks.recording.journal import read_events


class Story(NamedTuple):
    """The events of the journal in this folder. tracks: by name; rows: how many rows of each row file count."""

    folder: Path
    begun: Begun
    camera: CameraTold
    ended: Ended | None
    epochs: list[EpochBegun]
    tracks: dict[str, TrackBegun]
    gaps: list[Gap]
    rows: dict[str, int]

    def rows_of(self, name: str, layout: np.dtype) -> np.ndarray:
        """The rows of a row file that count, left on the disk until they are looked at."""
        count = self.rows.get(name, 0)
        if not count:
            return np.empty(0, layout)
        return np.memmap(self.folder / f"{name}.rows", layout, "r", shape=(count,))


def read_story(folder: Path) -> Story:
    """Read a journal. Raises RemiError when there is nothing in it."""
    events = read_events(folder)
    if not events or not isinstance(events[0], Begun):
        raise RemiError(f"{folder} holds no recording: it was killed before it began. Delete it")
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
