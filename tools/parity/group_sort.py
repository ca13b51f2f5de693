"""SORT tracker: tracks per frame, and the people that PARE's and POCO's programs derive from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare, same
from parity.sort_tracker import SortTracker, group_by_track, square_boxes

GROUP = "sort"
PX = 1e-6


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check one tracker on the detections of all frames, in order."""
    counts = entries["sort.in.n"]
    frames = np.split(entries["sort.in.dets"], np.cumsum(counts)[:-1])
    sort = SortTracker()
    tracks = [sort.update(frame) for frame in frames]
    yield compare("sort.out.skip_empty.n", [len(rows) for rows in tracks], entries["sort.out.skip_empty.n"], 0.0)
    yield compare("sort.out.skip_empty.tracks", np.concatenate(tracks), entries["sort.out.skip_empty.tracks"], PX)
    by_track = group_by_track(tracks)
    expected_ids = {int(entry.split(".")[3]) for entry in entries if entry.startswith("sort.out.people.")}
    yield same("sort.out.people [ids]", set(by_track), expected_ids)
    for track_id, (boxes, numbers) in by_track.items():
        for name, got in (("bbox", boxes), ("frames", numbers)):
            entry = f"sort.out.people.{track_id}.{name}"
            yield compare(entry, got, entries.get(entry, ()), PX)
    for entry in entries:
        if entry.startswith("sort.out.square_dets_frame"):
            yield compare(entry, square_boxes(frames[int(entry.removeprefix("sort.out.square_dets_frame"))]), entries[entry], PX)
