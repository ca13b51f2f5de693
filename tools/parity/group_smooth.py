"""Offline One-Euro filter of whole tracks, on rotation matrices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from parity.rows import Entries, Row, compare
from remi_stream.filters.offline import smooth_rotations

GROUP = "smooth"
TOLERANCE = 2e-5
PARAMETERS = re.compile(r"smooth\.out\.mc(?P<min_cutoff>[\d.eE+-]+)_beta(?P<beta>[\d.eE+-]+)")


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check all outputs; their names contain the parameters."""
    for entry, expected in entries.items():
        if (match := PARAMETERS.fullmatch(entry)) is not None:
            smoothed = smooth_rotations(entries["smooth.in.rotmats"], float(match["min_cutoff"]), float(match["beta"]))
            yield compare(entry, smoothed, expected, TOLERANCE)
