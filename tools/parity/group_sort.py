"""SORT: tracks frame by frame, and what PARE's and POCO's programs make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare, same
from remi_stream.pose.sort import Sort, people, squared

GROUP = "sort"
PX = 1e-6


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """The frames' detections, in order, through one tracker."""
    counts = entries["sort.in.n"]
    frames = np.split(entries["sort.in.dets"], np.cumsum(counts)[:-1])
    sort = Sort()
    tracks = [sort.update(frame) for frame in frames]
    yield compare("sort.out.skip_empty.n", [len(found) for found in tracks], entries["sort.out.skip_empty.n"], 0.0)
    yield compare("sort.out.skip_empty.tracks", np.concatenate(tracks), entries["sort.out.skip_empty.tracks"], PX)
    found = people(tracks)
    told = {int(entry.split(".")[3]) for entry in entries if entry.startswith("sort.out.people.")}
    yield same("sort.out.people [ids]", set(found), told)
    for track_id, (boxes, numbers) in found.items():
        for name, got in (("bbox", boxes), ("frames", numbers)):
            entry = f"sort.out.people.{track_id}.{name}"
            yield compare(entry, got, entries.get(entry, ()), PX)
    for entry in entries:
        if entry.startswith("sort.out.square_dets_frame"):
            yield compare(entry, squared(frames[int(entry.removeprefix("sort.out.square_dets_frame"))]), entries[entry], PX)
